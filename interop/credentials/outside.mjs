// The whole thread from outside: what a stranger can do with the JSON that `tessera demo --json` prints, and a wallet that we
// did not write. Usage: node outside.mjs PATH-OF-TESSERA
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeKey } from './callbacks.mjs'
import { makeLeaf, makeRoot } from './pki.mjs'
import { walk } from './tiles.mjs'
import { attest, Wallet } from './wallet.mjs'

const binary = process.argv[2]
const home = mkdtempSync(join(tmpdir(), 'tessera-interop-'))
let passed = 0

async function check(name, act) {
  await act()
  passed += 1
  console.log(`ok ${passed} ${name}`)
}

function startDemo() {
  const child = spawn(binary, ['demo', '--json', '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home },
  })
  const story = new Promise((resolve, reject) => {
    let text = ''
    child.stdout.on('data', (chunk) => {
      text += chunk
      try {
        resolve(JSON.parse(text))
      } catch {
        // more to come
      }
    })
    child.on('exit', (code) => reject(new Error(`the demo ended with ${code}`)))
    setTimeout(() => reject(new Error('the demo said nothing for 60 s')), 60_000).unref()
  })
  return { child, story }
}

/** Runs `tessera wallet …` in a folder of its own: `{ exit, stdout, stderr }`. */
function ours(...args) {
  const child = spawn(binary, ['wallet', ...args, '--home', join(home, 'wallet'), '--yes', '-o', 'json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TESSERA_WALLET_PASSPHRASE: 'a passphrase for this run', XDG_CONFIG_HOME: home, XDG_DATA_HOME: home },
    timeout: 60_000,
  })
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr']) child[stream].on('data', (chunk) => (said[stream] += chunk))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (exit) => resolve({ exit, ...said }))
  })
}

async function run(demo) {
  const { urls, auth } = demo
  const token = async ({ client_id, client_secret }) => {
    const answer = await fetch(auth.token_url, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret }),
    })
    assert.equal(answer.status, 200)
    return (await answer.json()).access_token
  }
  let bearer
  const api = async (method, path, body, as = bearer) => {
    const answer = await fetch(`${urls.public}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${as}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    return { status: answer.status, body: await answer.json().catch(() => ({})) }
  }
  const claims = { given_name: 'Ana', family_name: 'Specimen', degree: { type: 'BSc' } }
  const issue = () => api('POST', '/credentials/issue', { credential_configuration_id: 'diploma', claims })
  const metadata = await (await fetch(urls.issuer_metadata)).json()
  const { vct } = metadata.credential_configurations_supported.diploma
  const ask = () =>
    api('POST', '/verification/request', {
      dcql_query: {
        credentials: [
          { id: 'd', format: 'dc+sd-jwt', meta: { vct_values: [vct] }, claims: [{ path: ['degree', 'type'] }] },
        ],
      },
    })
  const result = async (id) => (await api('GET', `/verification/${id}`)).body
  const rejected = async (change, expected) => {
    const request = (await ask()).body
    const answer = await wallet.present(request.authorization_request_uri, { change })
    assert.equal(answer.status, 400)
    const state = await result(request.id)
    assert.equal(state.state, 'rejected')
    assert.equal(state.failure.check, expected)
    assert.equal(state.credentials, undefined)
  }

  const wallet = new Wallet()
  let offer, accepted, verification, answer
  await check('a token is had with the printed client', async () => {
    bearer = await token(auth)
  })
  await check('an offer is made', async () => {
    offer = await issue()
    assert.equal(offer.status, 201)
  })
  await check('a foreign wallet redeems it and checks the credential', async () => {
    accepted = await wallet.accept(offer.body.offer_uri)
    assert.equal(accepted.claims.degree.type, 'BSc')
    assert.equal(accepted.claims.iss, urls.issuer)
    assert.ok(accepted.claims.status.status_list.uri.startsWith(urls.issuer))
  })
  await check('a transaction code is asked for; a wrong one is refused, the right one redeems', async () => {
    const { body } = await api('POST', '/credentials/issue', { credential_configuration_id: 'diploma', claims, tx_code: true })
    assert.match(body.tx_code, /^[0-9]{6}$/)
    const wrong = String((Number(body.tx_code) + 1) % 1_000_000).padStart(6, '0')
    await assert.rejects(() => new Wallet().accept(body.offer_uri, { txCode: wrong }))
    assert.equal((await new Wallet().accept(body.offer_uri, { txCode: body.tx_code })).claims.degree.type, 'BSc')
  })
  await check('our terminal wallet sends the code by --tx-code, and proves a fresh key where the metadata takes proofs', async () => {
    const { body } = await api('POST', '/credentials/issue', { credential_configuration_id: 'diploma', claims, tx_code: true })
    const server = `${urls.public}/.well-known/oauth-authorization-server${new URL(urls.issuer).pathname}`
    assert.ok((await (await fetch(server)).json()).dpop_signing_alg_values_supported.includes('ES256'))
    const pem = join(home, 'root.pem')
    writeFileSync(pem, await (await fetch(`${urls.issuer}/trust/anchors.pem`)).text())
    assert.equal((await ours('init', '--trust', pem)).exit, 0)
    const wrong = String((Number(body.tx_code) + 1) % 1_000_000).padStart(6, '0')
    assert.equal((await ours('accept', body.offer_uri, '--tx-code', wrong)).exit, 3)
    const taken = await ours('accept', body.offer_uri, '--tx-code', body.tx_code)
    assert.equal(taken.exit, 0, taken.stderr)
    assert.equal(JSON.parse(taken.stdout.slice(taken.stdout.search(/^\{/m))).claims.degree.type, 'BSc')
    const told = await api('GET', '/ledger/events?type=notification-received')
    assert.equal(told.status, 200)
    assert.ok(told.body.items.length >= 1)
  })
  await check('five copies come at once, bound to five keys, in five places of the list', async () => {
    const { copies } = await new Wallet().accept((await issue()).body.offer_uri, { copies: 5 })
    assert.equal(copies.length, 5)
    const distinct = (of) => new Set(copies.map(of)).size
    assert.equal(distinct(({ claims }) => JSON.stringify(claims.cnf.jwk)), 5)
    assert.equal(distinct(({ claims }) => claims.status.status_list.idx), 5)
    for (const { claims, key } of copies) assert.equal(claims.cnf.jwk.x, key.publicJwk.x)
  })
  await check('a token is bound by DPoP and useless without its key', async () => {
    const bound = await new Wallet().accept((await issue()).body.offer_uri, {
      dpopKey: await makeKey(),
      notify: 'credential_accepted',
    })
    assert.equal(bound.tokenType, 'DPoP')
    const stolen = await fetch(bound.issuerMetadata.credentialIssuer.credential_endpoint, {
      method: 'POST',
      headers: { authorization: `Bearer ${bound.accessToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ credential_configuration_id: 'diploma', proofs: { jwt: [bound.proof] } }),
    })
    assert.equal(stolen.status, 401)
    assert.match(stolen.headers.get('www-authenticate'), /^DPoP /)
  })
  await check('copies that a wallet could not keep are revoked', async () => {
    const { body } = await issue()
    await new Wallet().accept(body.offer_uri, { copies: 2, notify: 'credential_failure' })
    const { copies } = (await api('GET', `/credentials/${body.id}/status`)).body
    assert.deepEqual(copies.map(({ status }) => status), ['revoked', 'revoked'])
  })
  await check('a wallet shows who made it; one of an unknown maker is refused', async () => {
    const client = 'https://wallet.example/app'
    const [known, unknown] = [await makeRoot('Wallet Maker Root'), await makeRoot('Nobody Knows This Maker')]
    const anchor = { certificate_pem: known.pem, contexts: ['wallet-provider'] }
    assert.equal((await api('POST', '/trust-anchors', anchor)).status, 201)
    const attestedBy = async (root) => attest(await makeLeaf(root, 'Wallet Maker', client), client)
    const { offer_uri: offerUri } = (await issue()).body
    const stranger = await attestedBy(unknown)
    await assert.rejects(() => new Wallet().accept(offerUri, { attested: stranger }))
    const attested = await attestedBy(known)
    const dpopKey = await makeKey()
    assert.equal((await new Wallet().accept(offerUri, { attested, dpopKey })).claims.degree.type, 'BSc')
  })
  await check('the spent offer is refused', async () => {
    await assert.rejects(() => new Wallet().accept(offer.body.offer_uri))
  })
  await check('a foreign wallet presents it; the report accepts', async () => {
    verification = await ask()
    assert.equal(verification.status, 201)
    answer = await wallet.present(verification.body.authorization_request_uri)
    assert.equal(answer.status, 200)
    const state = await result(verification.body.id)
    assert.equal(state.state, 'verified')
    assert.deepEqual(state.credentials.d[0].claims, { degree: { type: 'BSc' } })
    assert.equal(state.report.verdict, 'accepted')
  })
  await check('the same response a second time is refused and changes nothing', async () => {
    assert.equal((await answer.again()).response.status, 400)
    assert.equal((await result(verification.body.id)).state, 'verified')
  })
  await check('a wrong nonce is refused by VP-024', () => rejected({ nonce: 'of-another-session' }, 'VP-024'))
  await check('a wrong audience is refused by VP-023', () => rejected({ aud: 'x509_hash:other' }, 'VP-023'))
  await check('a foreign key-binding key is refused by VP-022', async () => rejected({ key: await makeKey() }, 'VP-022'))
  await check('a key binding from the future is refused by VP-025', () =>
    rejected({ iat: Math.floor(Date.now() / 1000) + 3600 }, 'VP-025'))
  await check('another tenant sees nothing of it', async () => {
    const other = await token(auth.other_tenant)
    const foreign = await api('GET', `/verification/${verification.body.id}`, undefined, other)
    assert.equal(foreign.status, 404)
  })
  await check('once revoked, the next presentation is refused by VP-054', async () => {
    const revoked = await api('POST', `/credentials/${offer.body.id}/revoke`, { reason: 'superseded' })
    assert.equal(revoked.status, 200)
    assert.equal(revoked.body.status, 'revoked')
    await rejected({}, 'VP-054')
  })
  await check('the logs are walked tile by tile and their roots recomputed', async () => {
    const system = await walk(urls.system_ledger)
    assert.ok(system.size >= 2)
    const tenant = await walk(urls.ledger, auth.log_token)
    assert.ok(tenant.size > 10)
  })
  await check('a private log is not read without its token', async () => {
    assert.equal((await fetch(`${urls.ledger}/checkpoint`)).status, 401)
  })
}

const { child, story } = startDemo()
try {
  const demo = await story
  assert.equal(demo.ok, true)
  await run(demo)
  console.log(`${passed} passed, 0 failed`)
} catch (error) {
  console.error(error)
  console.log(`${passed} passed, 1 failed`)
  process.exitCode = 1
} finally {
  child.removeAllListeners('exit')
  child.kill('SIGTERM')
  rmSync(home, { recursive: true, force: true })
}
