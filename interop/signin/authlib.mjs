// A relying party made of PyPI's Authlib against our identity provider. Usage: node authlib.mjs PATH-OF-TESSERA PYTHON
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Browser, Wallet, startHouse } from './house.mjs'

const ORIGIN = 'http://localhost:4997'
const CALLBACK = `${ORIGIN}/cb`

async function run(house) {
  const script = fileURLToPath(new URL('authlib_rp.py', import.meta.url))
  const child = spawn(process.argv[3] ?? 'python3', ['-W', 'ignore', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const hear = async () => {
    const { value, done } = await lines.next()
    assert.ok(!done, 'the relying party ended early')
    return JSON.parse(value)
  }
  const tell = (what) => child.stdin.write(`${JSON.stringify(what)}\n`)

  const { jwks } = await hear()
  const made = await house.api('POST', '/relying-parties', {
    name: 'Old shop',
    legal_name: 'Old Shop of Specimens',
    origins: [ORIGIN],
    redirect_uris: [CALLBACK],
    scopes: ['openid', 'offline_access', 'identity:age_over_18'],
    auth_method: 'private_key_jwt',
    jwks,
    require_par: false,
    origin_proof: 'operator',
  })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  assert.equal(made.body.state, 'pending_proof')
  tell({
    client_id: made.body.id,
    issuer: house.idp,
    challenge: made.body.challenge,
    origins: [ORIGIN],
    redirect_uri: CALLBACK,
  })
  const { proof } = await hear()
  const proved = await house.api('POST', `/relying-parties/${made.body.id}/prove`, { proofs: [proof] })
  assert.equal(proved.status, 200, JSON.stringify(proved.body))
  assert.equal(proved.body.state, 'active')
  console.log('ok 1 a relying party proves its key and becomes active')

  tell({ configuration: house.demo.urls.openid_configuration })
  const wallet = new Wallet(house, 'bo')
  await wallet.enrol({
    given_name: 'Bo',
    family_name: 'Specimen',
    birth_date: '1988-02-29',
    number: 'SPECIMEN-2',
    expiry: '2031-01-01',
  })
  const { url } = await hear()
  const browser = new Browser()
  const session = await browser.open(url)
  const grant = ['identity:age_over_18', 'offline_access']
  const answered = await wallet.approve(session.claim_uri, { code: () => browser.code(session), grant })
  assert.equal(answered.status, 0, answered.said)
  tell({ callback: (await browser.finish(session)).href })
  const result = await hear()
  assert.equal(result.acr, 'seal:code')
  assert.equal(result.userinfo.sub, result.sub)
  assert.equal(result.userinfo.age_over_18, true)
  console.log('ok 2 code, PKCE, private_key_jwt, ID Token and userinfo pass')
  assert.ok(result.refreshed)
  assert.equal(result.sub_after_refresh, result.sub)
  console.log('ok 3 a refresh passes')
  assert.equal(result.replayed, 'invalid_client')
  console.log('ok 4 the code in the hands of an unauthenticated client is refused')
  child.kill()
}

const house = await startHouse(process.argv[2])
try {
  await run(house)
} finally {
  house.stop()
}
