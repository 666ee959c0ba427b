// A wallet that we did not write presents to our verifier, in every way that is served, honestly and not.
// Usage: node presents.mjs PATH-OF-TESSERA
import assert from 'node:assert/strict'
import { makeKey } from './callbacks.mjs'
import { openHouse } from './demo.mjs'
import { Wallet } from './wallet.mjs'

const BACK = 'https://rp.example/back'
const CLAIMS = { given_name: 'Ana', family_name: 'Specimen', degree: { type: 'BSc' } }
let passed = 0

async function check(name, act) {
  await act()
  passed += 1
  console.log(`ok ${passed} ${name}`)
}

const house = await openHouse(process.argv[2])
const { api } = house
const wallet = new Wallet()

/** Asks for the degree of a diploma, with these further members of the request. */
async function ask(vct, members = {}, claims = [{ path: ['degree', 'type'] }]) {
  const credential = { id: 'd', format: 'dc+sd-jwt', meta: { vct_values: [vct] }, claims }
  const made = await api('POST', '/verifications', { dcql_query: { credentials: [credential] }, ...members })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  return made.body
}

const result = async ({ id }) => (await api('GET', `/verifications/${id}`)).body

function assertVerified(state) {
  assert.equal(state.state, 'verified', JSON.stringify(state))
  assert.deepEqual(state.credentials.d[0].claims, { degree: { type: 'BSc' } })
  assert.equal(state.report.verdict, 'accepted')
}

/** The last place of a text with another letter in it. */
const spoilt = (text) => text.slice(0, -8) + (text.at(-8) === 'A' ? 'B' : 'A') + text.slice(-7)

/** How a presentation is spoilt, and by which check our verifier refuses it. */
const faults = async () => [
  ['of another session', { nonce: 'of-another-session' }, 'VP-024'],
  ['for another verifier', { aud: 'x509_hash:other' }, 'VP-023'],
  ['bound by another key', { key: await makeKey() }, 'VP-022'],
  ['with a spoilt key-binding signature', { text: spoilt }, 'VP-022'],
  ['with a disclosure taken away after binding', { text: withoutDisclosure }, 'VP-026'],
  ['with a disclosure changed', { text: withOtherDisclosure }, 'VP-018'],
]

function withoutDisclosure(text) {
  const parts = text.split('~')
  return [...parts.slice(0, -2), parts.at(-1)].join('~')
}

function withOtherDisclosure(text) {
  const parts = text.split('~')
  const [salt, name] = JSON.parse(Buffer.from(parts[1], 'base64url'))
  parts[1] = Buffer.from(JSON.stringify([salt, name, 'MSc'])).toString('base64url')
  return parts.join('~')
}

async function run() {
  const offer = await api('POST', '/offers', { credential_configuration_id: 'diploma', claims: CLAIMS })
  const { claims } = await wallet.accept(offer.body.offer_uri)
  const present = (request, options) => wallet.present(request.authorization_request_uri, options)

  for (const [name, options, members] of [
    ['encrypted, with apu and apv', {}, {}],
    ['encrypted, without apu and apv', { parties: false }, {}],
    ['in the clear', {}, { response_mode: 'direct_post' }],
    ['to a verifier named by its host', {}, { client_id_prefix: 'x509_san_dns' }],
  ]) {
    await check(`a presentation ${name} is accepted`, async () => {
      const request = await ask(claims.vct, members)
      assert.equal((await present(request, options)).status, 200)
      assertVerified(await result(request))
    })
  }
  for (const response_mode of ['direct_post.jwt', 'direct_post']) {
    for (const [name, change, expected] of await faults()) {
      await check(`${response_mode}: a presentation ${name} is refused by ${expected}`, async () => {
        const request = await ask(claims.vct, { response_mode })
        const answer = await present(request, { change })
        assert.equal(answer.status, 400)
        const { error, error_description: told } = answer.body
        assert.deepEqual([error, told], ['invalid_request', 'the presentation was not accepted'])
        const state = await result(request)
        assert.equal(state.state, 'rejected')
        assert.equal(state.failure.check, expected)
        assert.equal(state.credentials, undefined)
      })
    }
  }
  await check('on one device nothing is told before the code is back', async () => {
    const request = await ask(claims.vct, { return_uri: BACK })
    const answer = await present(request)
    const back = new URL(answer.body.redirect_uri)
    assert.equal(back.origin + back.pathname, BACK)
    const waiting = await result(request)
    assert.deepEqual([waiting.state, waiting.credentials], ['awaiting_return', undefined])
    const bring = (response_code) => api('POST', `/verifications/${request.id}/return`, { response_code })
    assert.equal((await bring('guessed')).status, 403)
    const released = await bring(back.searchParams.get('response_code'))
    assertVerified(released.body)
    assert.equal(released.body.session_binding, 'relying_party')
  })
  await check('a request by the name of a stored query, with a value that the claim has not, is refused by VP-042', async () => {
    const credential = { id: 'd', format: 'dc+sd-jwt', meta: { vct_values: [claims.vct] } }
    credential.claims = [{ path: ['degree', 'type'], values: ['MSc'] }]
    const stored = await api('POST', '/queries', { name: 'masters', dcql_query: { credentials: [credential] } })
    assert.equal(stored.status, 201)
    const { body } = await api('POST', '/verifications', { query: 'masters' })
    assert.equal((await present(body)).status, 400)
    assert.equal((await result(body)).failure.check, 'VP-042')
  })
}

try {
  await run()
  console.log(`${passed} passed, 0 failed`)
} catch (error) {
  console.error(error)
  console.log(`${passed} passed, 1 failed`)
  process.exitCode = 1
} finally {
  house.close()
}
