// The peer: issuer and verifier of other people's libraries in one process of their own, all state in memory. Prints one line of
// JSON when its doors are open. What a careful operator would keep, it keeps: its own JWKS and the status list are fetched once.
import { request } from '../credentials/callbacks.mjs'
import * as door from '../credentials/doors.mjs'
import { Issuer } from '../credentials/issuer.mjs'
import { makeRoot } from '../credentials/pki.mjs'
import { Verifier } from '../credentials/verifier.mjs'
import { FRAME } from './dataset.mjs'

// Far fewer than ours has (131,072), in favour of the peer: its library unpacks the whole list at every presentation. Later indices are
// dealt beyond it, which nobody looks up.
const LIST_ENTRIES = 1_000

const kept = new Map()

/** A fetch that asks once and answers from memory after that. */
async function fetchOnce(url, options) {
  if (!kept.has(String(url))) {
    const answer = await request(url, options)
    const type = answer.headers.get('content-type')
    kept.set(String(url), { status: answer.status, type, text: await answer.text() })
  }
  const { status, type, text } = kept.get(String(url))
  return new Response(text, { status, headers: { 'content-type': type } })
}

const root = await makeRoot('Bench Root')
const issuer = await Issuer.start(root, { frame: FRAME, listEntries: LIST_ENTRIES, fetch: fetchOnce })
const statusListFetcher = async (uri) => (await fetchOnce(uri)).text()
const verifier = await Verifier.start(root, root, { statusListFetcher })

issuer.http.doors.set('POST /api/offers', async ({ body }) => {
  const link = await issuer.offer(JSON.parse(body).claims, { byReference: true })
  return door.json({ credential_offer_uri: new URL(link).searchParams.get('credential_offer_uri') }, 201)
})
verifier.http.doors.set('POST /api/verifications', async ({ body }) => {
  const { id, link } = await verifier.ask(JSON.parse(body).dcql_query.credentials[0])
  verifier.http.doors.set(`GET /api/verifications/${id}`, () => door.json(verifier.result(id)))
  return door.json({ id, request_uri: new URL(link).searchParams.get('request_uri') }, 201)
})

console.log(
  JSON.stringify({
    issuer: issuer.identifier,
    vct: issuer.vct,
    offers: `${issuer.http.origin}/api/offers`,
    verifications: `${verifier.http.origin}/api/verifications`,
    metadata: [
      `${issuer.http.origin}/.well-known/openid-credential-issuer/issuer`,
      `${issuer.http.origin}/.well-known/oauth-authorization-server/as`,
    ],
  }),
)
