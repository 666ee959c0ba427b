// Our wallet against an issuer and a verifier that we did not write, and against the same two gone bad.
// Usage: node ours.mjs PATH-OF-TESSERA
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeKey } from './callbacks.mjs'
import { Issuer } from './issuer.mjs'
import { makeLeaf, makeRoot } from './pki.mjs'
import { clientId, Verifier } from './verifier.mjs'
import { Wallet } from './wallet.mjs'

const WALLET_TIMEOUT_MS = 60_000
const PASSPHRASE = 'a passphrase for this run'
const CLAIMS = {
  given_name: 'Ana',
  family_name: 'Specimen',
  degree: { type: 'BSc', year: 2024 },
  nationalities: ['SI', 'AT'],
}

const binary = process.argv[2]
const home = mkdtempSync(join(tmpdir(), 'tessera-interop-'))
let passed = 0

async function check(name, act) {
  await act()
  passed += 1
  console.log(`ok ${passed} ${name}`)
}

/** Runs `tessera wallet …`: `{ exit, answer, trouble }`, the last two parsed from stdout and stderr. */
function wallet(...args) {
  const child = spawn(binary, ['wallet', ...args, '--home', join(home, 'wallet'), '--yes', '-o', 'json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TESSERA_WALLET_PASSPHRASE: PASSPHRASE, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home },
    timeout: WALLET_TIMEOUT_MS,
  })
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr']) child[stream].on('data', (chunk) => (said[stream] += chunk))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (exit) => resolve({ exit, answer: parsed(said.stdout), trouble: parsed(said.stderr), said }))
  })
}

/** The JSON object at the end of what was said; what the holder is told may stand before it. */
function parsed(text) {
  const start = text.search(/^\{/m)
  return start < 0 ? undefined : JSON.parse(text.slice(start))
}

async function does(...args) {
  const { exit, answer, said } = await wallet(...args)
  assert.equal(exit, 0, said.stderr)
  return answer
}

/** The wallet must refuse with this code and reason, and exit with `exit`. */
async function refuses(args, code, reason, exit = 1) {
  const run = await wallet(...args)
  assert.equal(run.exit, exit, JSON.stringify(run.said))
  assert.equal(run.trouble.code, code)
  assert.match(run.trouble.cause, reason)
}

const root = await makeRoot('Interop Root')
const otherRoot = await makeRoot('Nobody Knows This Root')
const issuer = await Issuer.start(root)
const verifier = await Verifier.start(root, root)
const strangerIssuer = await Issuer.start(otherRoot)
const strangerVerifier = await Verifier.start(otherRoot, root)

const degree = { meta: { vct_values: [issuer.vct] }, claims: [{ path: ['degree', 'type'] }] }
const held = async () => (await does('list')).items

async function goodPeers() {
  await check('a wallet is made that trusts one root', async () => {
    const pem = join(home, 'root.pem')
    writeFileSync(pem, root.pem)
    assert.equal((await does('init', '--trust', pem)).anchors, 1)
  })
  await check('our wallet accepts a credential of the foreign issuer', async () => {
    const accepted = await does('accept', await issuer.offer(CLAIMS))
    assert.equal(accepted.vct, issuer.vct)
    assert.deepEqual(accepted.claims, CLAIMS)
  })
  await check('the wallet lists it, by names from the foreign metadata', async () => {
    const [one, ...others] = await held()
    assert.equal(others.length, 0)
    assert.deepEqual([one.name, one.issuer, one.vct], ['Diploma', issuer.identifier, issuer.vct])
  })
  await check('the foreign status list says that it is valid', async () => {
    const { items } = await does('list', '--check')
    assert.equal(items[0].status, 'valid')
  })
  await check('the foreign verifier accepts a presentation and sees the asked claim alone', async () => {
    const { id, link } = await verifier.ask(degree)
    const answered = await does('present', link)
    assert.equal(answered.outcome, 'delivered')
    assert.equal(answered.client_id, verifier.clientId)
    const { state, claims, keyBinding, reason } = verifier.result(id)
    assert.equal(state, 'verified', reason)
    assert.deepEqual(Object.keys(claims).sort(), ['cnf', 'degree', 'exp', 'iat', 'iss', 'status', 'vct'])
    assert.deepEqual(claims.degree, { type: 'BSc' })
    assert.equal(keyBinding.aud, verifier.clientId)
  })
  await check('the foreign verifier refuses a wrong nonce, audience and key, so its yes means something', async () => {
    const foreign = new Wallet()
    await foreign.accept(await issuer.offer(CLAIMS))
    const faults = [
      [{ nonce: 'of-another-session' }, /Nonce/],
      [{ aud: 'x509_hash:other' }, /aud/],
      [{ key: await makeKey() }, /signature/],
    ]
    for (const [change, reason] of faults) {
      const { id, link } = await verifier.ask(degree)
      assert.equal((await foreign.present(link, { change })).status, 400)
      assert.match(verifier.result(id).reason, reason)
    }
  })
  await check('elements of an array are shown, and nothing else', async () => {
    const { id, link } = await verifier.ask({ ...degree, claims: [{ path: ['nationalities', null] }] })
    await does('present', link)
    const { state, claims, reason } = verifier.result(id)
    assert.equal(state, 'verified', reason)
    assert.deepEqual(claims.nationalities, CLAIMS.nationalities)
    assert.equal(claims.degree, undefined)
  })
  await check('history has what was shown to whom', async () => {
    const { items } = await does('history')
    assert.equal(items.length, 2)
    const first = items.find(({ shown }) => JSON.stringify(shown).includes('degree'))
    assert.equal(first.client_id, verifier.clientId)
    assert.deepEqual(first.shown[0].claims, ['degree.type'])
  })
  await check('the same link a second time is refused by the verifier', async () => {
    const { link } = await verifier.ask(degree)
    await does('present', link)
    await refuses(['present', link], 'wallet/peer-refused', /400/, 3)
  })
  await check('a request that nothing fits is declined, which the foreign verifier reads', async () => {
    const { id, link } = await verifier.ask({ ...degree, meta: { vct_values: ['https://issuer.example/other'] } })
    await refuses(['present', link], 'wallet/nothing-shown', /fits/)
    assert.equal(verifier.result(id).state, 'declined')
  })
  await check('an offer by reference with a transaction code is accepted', async () => {
    const offer = () => issuer.offer(CLAIMS, { byReference: true, txCode: '4711' })
    await refuses(['accept', await offer(), '--tx-code', '1234'], 'wallet/peer-refused', /invalid_grant/, 3)
    const accepted = await does('accept', await offer(), '--tx-code', '4711')
    await does('delete', accepted.id)
  })
}

async function badIssuers() {
  const kept = await held()
  const refused = async (name, offer, code, reason) =>
    check(name, async () => {
      await refuses(['accept', await offer()], code, reason)
      assert.deepEqual(await held(), kept)
    })
  const spoiled = (change) => () => issuer.offer(CLAIMS, { change })
  const rejected = 'wallet/credential-rejected'
  const otherKey = await makeKey()

  await refused(
    'an issuer whose root is not trusted is refused',
    () => strangerIssuer.offer(CLAIMS),
    'wallet/issuer-untrusted',
    /no-anchor/,
  )
  await refused(
    'a credential signed by another key than its certificate has is refused',
    spoiled({ privateKey: otherKey.privateKey }),
    rejected,
    /signature/,
  )
  await refused(
    'a credential bound to another key is refused',
    spoiled({ holderJwk: otherKey.publicJwk }),
    rejected,
    /not bound to this wallet's key/,
  )
  await refused(
    'a credential bound to no key is refused',
    spoiled({ claims: { cnf: undefined } }),
    rejected,
    /not bound to this wallet's key/,
  )
  await refused(
    'a credential of another type than its configuration is refused',
    spoiled({ vct: `${issuer.vct}/other` }),
    rejected,
    /another type/,
  )
  await refused('an expired credential is refused', spoiled({ claims: { exp: 1_000_000_000 } }), rejected, /exp/)
}

async function badVerifiers() {
  const stranger = await makeLeaf(root, 'Another Request Signer', 'http://localhost/another')
  const historyOf = async () => (await does('history')).items.length
  const before = await historyOf()
  const refused = async (name, from, change, code, reason) =>
    check(name, async () => {
      const { id, link } = await from.ask(degree, { change })
      await refuses(['present', link], code, reason)
      assert.equal(from.result(id).state, 'fetched', 'a refused request is not answered')
      assert.equal(await historyOf(), before)
    })
  const rejected = 'wallet/request-rejected'

  await refused(
    'a verifier whose root is not trusted is refused',
    strangerVerifier,
    {},
    'wallet/verifier-untrusted',
    /no-anchor/,
  )
  await refused(
    'a request signed with another certificate than client_id hashes is refused',
    verifier,
    { signer: stranger },
    rejected,
    /another certificate/,
  )
  await refused(
    'a request signed by another key under the right certificate is refused',
    verifier,
    { signer: { ...stranger, x5c: verifier.key.x5c } },
    rejected,
    /signature does not verify/,
  )
  await refused(
    'a link that names another client than the request is refused',
    verifier,
    { linkClientId: clientId(stranger) },
    rejected,
    /another client than the link/,
  )
  await refused(
    'a request that names another client than the link is refused',
    verifier,
    { objectClientId: clientId(stranger), linkClientId: verifier.clientId },
    rejected,
    /another client than the link/,
  )
  await refused(
    'a wrong client_id in link and request alike is refused',
    verifier,
    { objectClientId: clientId(stranger) },
    rejected,
    /another certificate/,
  )
  await refused(
    'an expired request is refused',
    verifier,
    { now: new Date(Date.now() - 3_600_000) },
    rejected,
    /out of its time/,
  )
}

async function revoked() {
  await check('once revoked, the wallet reads it in the foreign status list, and the foreign verifier refuses', async () => {
    issuer.revokeAll()
    const { items } = await does('list', '--check')
    assert.equal(items[0].status, 'revoked')
    const { id, link } = await verifier.ask(degree)
    await refuses(['present', link], 'wallet/peer-refused', /400/, 3)
    assert.match(verifier.result(id).reason, /Status is not valid/)
  })
}

try {
  await goodPeers()
  await badIssuers()
  await badVerifiers()
  await revoked()
  console.log(`${passed} passed, 0 failed`)
} catch (error) {
  console.error(error)
  console.log(`${passed} passed, 1 failed`)
  process.exitCode = 1
} finally {
  await Promise.all([issuer, verifier, strangerIssuer, strangerVerifier].map((peer) => peer.close()))
  rmSync(home, { recursive: true, force: true })
}
