// The two flows, step by step as a wallet and a relying party take them; the same calls to both servers.
import { CLAIMS, query } from './dataset.mjs'
import { formBody, jsonBody } from './http.mjs'
import { answer, cut, makeKey, proof } from './wallet.mjs'

const PRE_AUTHORIZED = 'urn:ietf:params:oauth:grant-type:pre-authorized_code'

/** Offer by the API, offer object, both metadata documents, token, nonce, credential; returns what the wallet would keep, and when which event was told. */
export async function issue(server, caller, worker, key = makeKey()) {
  const wanted = { credential_configuration_id: 'diploma', claims: CLAIMS }
  const made = await caller.json('POST', server.offers, jsonBody(wanted, server.token(worker)))
  const offered = { event: made.headers['tessera-event'], at: performance.now() }
  const { body: offer } = await caller.json('GET', made.body.credential_offer_uri)
  const { body: issuer } = await caller.json('GET', server.metadata[0])
  const { body: authorization } = await caller.json('GET', server.metadata[1])
  const code = offer.grants[PRE_AUTHORIZED]['pre-authorized_code']
  const redeemed = formBody({ grant_type: PRE_AUTHORIZED, 'pre-authorized_code': code })
  const { body: granted } = await caller.json('POST', authorization.token_endpoint, redeemed)
  const { body: fresh } = await caller.json('POST', issuer.nonce_endpoint)
  const request = {
    credential_configuration_id: offer.credential_configuration_ids[0],
    proofs: { jwt: [proof(key, issuer.credential_issuer, fresh.c_nonce)] },
  }
  const { body: issued } = await caller.json('POST', issuer.credential_endpoint, jsonBody(request, granted.access_token))
  return { credential: issued.credentials[0].credential, key, offered }
}

/** Request by the API, request object, encrypted response, result by the API, which must be `verified`. */
export async function present(server, caller, worker, held) {
  const token = server.token(worker)
  const asked = { dcql_query: query(server.vct) }
  const { body: session } = await caller.json('POST', server.verifications, jsonBody(asked, token))
  const { text: requestObject } = await caller.call('GET', session.request_uri)
  const { responseUri, response } = answer(held, requestObject)
  await caller.json('POST', responseUri, formBody({ response }))
  const headers = token ? { authorization: `Bearer ${token}` } : {}
  const { body: result } = await caller.json('GET', server.result(session.id), { headers })
  if (result.state !== 'verified') throw new Error(`not verified: ${JSON.stringify(result).slice(0, 500)}`)
}

/** What every presentation shows: a few credentials, issued before anything is measured. */
export async function holdings(server, caller, count) {
  const held = []
  for (let one = 0; one < count; one++) {
    const { credential, key } = await issue(server, caller, 0)
    held.push(cut(credential, key))
  }
  return held
}
