// A relying party made of npm's openid-client against our identity provider, with PAR and DPoP; the wallet is the one on the
// command line. Usage: node outside.mjs PATH-OF-TESSERA
import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { Browser, Wallet, startHouse } from './house.mjs'

const ORIGIN = 'http://localhost:4999'
const CALLBACK = `${ORIGIN}/cb`
const SCOPES = ['openid', 'offline_access', 'identity:age_over_18']
const PERSON = {
  given_name: 'Ana',
  family_name: 'Specimen',
  birth_date: '1990-04-12',
  number: 'SPECIMEN-OUTSIDE-1',
  expiry: '2031-01-01',
}

let passed = 0
async function check(name, act) {
  await act()
  passed += 1
  console.log(`ok ${passed} ${name}`)
}

async function refused(promise, error) {
  const fault = await promise.then(
    () => assert.fail(`it was accepted, where ${error} was due`),
    (fault) => fault,
  )
  assert.equal(fault.error ?? fault.cause?.error ?? fault.code, error, `${fault.message}: ${JSON.stringify(fault.cause)}`)
}

async function run(house) {
  const { api, idp } = house
  const wallet = new Wallet(house, 'ana')
  const browser = new Browser()
  let relyingParty, config, keys

  await check('a relying party is registered', async () => {
    relyingParty = await api('POST', '/relying-parties', {
      name: 'Shop',
      legal_name: 'Shop SA',
      origins: [ORIGIN],
      redirect_uris: [CALLBACK],
      scopes: SCOPES,
      auth_method: 'none',
      origin_proof: 'operator',
    })
    assert.equal(relyingParty.status, 201, JSON.stringify(relyingParty.body))
    assert.equal(relyingParty.body.state, 'active')
    assert.ok(relyingParty.body.service_seal)
  })
  await check('the metadata is found by OpenID discovery', async () => {
    config = await client.discovery(new URL(idp), relyingParty.body.id, undefined, client.None(), {
      execute: [client.allowInsecureRequests],
    })
    assert.equal(config.serverMetadata().issuer, idp)
    assert.deepEqual(config.serverMetadata().code_challenge_methods_supported, ['S256'])
  })
  await check('a wallet enrols by an organisational seal', async () => {
    assert.match((await wallet.enrol(PERSON)).handle, /^[0-9A-Z]{4}-[0-9A-Z]{4}$/)
  })

  // One sign-in up to the callback: what the relying party asked, and where it was called back.
  const ask = async (change = {}) => {
    keys = await client.randomDPoPKeyPair('ES256')
    const DPoP = client.getDPoPHandle(config, keys)
    const verifier = client.randomPKCECodeVerifier()
    const asked = { state: client.randomState(), nonce: client.randomNonce() }
    const url = await client.buildAuthorizationUrlWithPAR(
      config,
      {
        redirect_uri: CALLBACK,
        scope: SCOPES.join(' '),
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...asked,
        ...change,
      },
      { DPoP },
    )
    return { url, DPoP, keys, checks: { pkceCodeVerifier: verifier, expectedState: asked.state, expectedNonce: asked.nonce } }
  }
  const signIn = async (change = {}, grant = ['identity:age_over_18', 'offline_access']) => {
    const asked = await ask(change)
    const session = await browser.open(asked.url)
    const answered = await wallet.approve(session.claim_uri, { code: () => browser.code(session), grant })
    assert.equal(answered.status, 0, answered.said)
    return { ...asked, session, callback: await browser.finish(session) }
  }
  const redeem = ({ callback, checks, DPoP }) => client.authorizationCodeGrant(config, callback, checks, undefined, { DPoP })

  let first, tokens, subject
  await check('a person signs in with a code read from the page; the code is redeemed with PKCE and DPoP', async () => {
    first = await signIn()
    assert.equal(first.callback.searchParams.get('iss'), idp)
    tokens = await redeem(first)
    assert.equal(tokens.token_type, 'dpop')
  })
  await check('the ID Token says who, how and by which consent', async () => {
    const claims = tokens.claims()
    subject = claims.sub
    assert.equal(claims.acr, 'seal:code')
    assert.equal(claims.aud, relyingParty.body.id)
    assert.ok(claims.amr.includes('otp'))
    assert.match(claims.consent_hash, /^[\w-]{43}$/)
    assert.equal(decodeProtectedHeader(tokens.id_token).alg, 'ES256')
    assert.equal(claims.given_name, undefined)
  })
  await check('the receipt names what was granted', async () => {
    const receipt = decodeJwt(tokens.consent_receipt)
    assert.equal(decodeProtectedHeader(tokens.consent_receipt).typ, 'seal-consent+jwt')
    assert.ok(JSON.stringify(receipt).includes('identity:age_over_18'))
  })
  await check('the token scope is what was granted', async () => {
    assert.ok(tokens.scope.split(' ').includes('identity:age_over_18'))
  })
  await check('userinfo gives the granted claim and no other', async () => {
    const info = await client.fetchUserInfo(config, tokens.access_token, subject, { DPoP: first.DPoP })
    assert.equal(info.age_over_18, true)
    for (const name of ['given_name', 'birthdate', 'name']) assert.equal(info[name], undefined)
  })
  await check('userinfo without a proof of possession is refused', async () => {
    const { userinfo_endpoint } = config.serverMetadata()
    for (const scheme of ['Bearer', 'DPoP']) {
      const answer = await fetch(userinfo_endpoint, { headers: { authorization: `${scheme} ${tokens.access_token}` } })
      assert.equal(answer.status, 401)
    }
  })
  await check('a refresh gives a new access token', async () => {
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP: first.DPoP })
    const info = await client.fetchUserInfo(config, refreshed.access_token, subject, { DPoP: first.DPoP })
    assert.equal(info.sub, subject)
  })
  await check('a refresh with another key is refused', async () => {
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
    await refused(client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP }), 'invalid_grant')
  })
  await check('the same code a second time is refused', () => refused(redeem(first), 'invalid_grant'))
  await check('and the tokens of that grant are dead', async () => {
    await assert.rejects(() => client.fetchUserInfo(config, tokens.access_token, subject, { DPoP: first.DPoP }))
    await refused(
      client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP: first.DPoP }),
      'invalid_grant',
    )
  })
  await check('a wrong code verifier is refused', async () => {
    const second = await signIn()
    second.checks.pkceCodeVerifier = client.randomPKCECodeVerifier()
    await refused(redeem(second), 'invalid_grant')
  })
  await check('a code redeemed under another key is refused', async () => {
    const third = await signIn()
    third.DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
    await assert.rejects(redeem(third))
  })
  await check('an unregistered redirect is refused', () =>
    refused(ask({ redirect_uri: `${CALLBACK}/` }), 'invalid_request'))
  await check('plain PKCE is refused', () =>
    refused(ask({ code_challenge: 'x'.repeat(43), code_challenge_method: 'plain' }), 'invalid_request'))
  await check('a scope that is not registered is refused before a session is', async () => {
    await refused(ask({ scope: 'openid identity:full' }), 'invalid_scope')
    await refused(ask({ scope: 'openid unheard-of' }), 'invalid_scope')
  })
  await check('a person who denies sends access_denied back', async () => {
    const asked = await ask()
    const session = await browser.open(asked.url)
    await wallet.approve(session.claim_uri, { deny: true })
    const callback = await browser.finish(session)
    await refused(client.authorizationCodeGrant(config, callback, asked.checks, undefined, { DPoP: asked.DPoP }), 'access_denied')
  })
  await check('a code that the page did not show approves nothing', async () => {
    const asked = await ask()
    const session = await browser.open(asked.url)
    const wrong = async () => ((Number(await browser.code(session)) + 1) % 1_000_000).toString().padStart(6, '0')
    const answered = await wallet.approve(session.claim_uri, { code: wrong, grant: ['identity:age_over_18'] })
    assert.notEqual(answered.status, 0)
  })
  await check('another browser sees neither the state nor the end of a session', async () => {
    const asked = await ask()
    const session = await browser.open(asked.url)
    const other = new Browser()
    assert.equal((await other.get(session.state_url)).status, 401)
    assert.equal((await other.get(session.state_url.replace(/\/state.*$/, '/finish'))).status, 401)
  })
  await check('the same person is another subject at another service', async () => {
    const other = await api('POST', '/relying-parties', {
      name: 'Library',
      legal_name: 'Library of Specimens',
      origins: ['http://127.0.0.1:4998'],
      redirect_uris: ['http://127.0.0.1:4998/cb'],
      scopes: SCOPES,
      auth_method: 'none',
      origin_proof: 'operator',
    })
    assert.equal(other.status, 201, JSON.stringify(other.body))
    const before = config
    config = await client.discovery(new URL(idp), other.body.id, undefined, client.None(), {
      execute: [client.allowInsecureRequests],
    })
    const elsewhere = await redeem(await signIn({ redirect_uri: 'http://127.0.0.1:4998/cb' }))
    assert.notEqual(elsewhere.claims().sub, subject)
    config = before
    assert.equal((await redeem(await signIn())).claims().sub, subject)
  })
  await check('the consent stands in the ledger, found by its hash', async () => {
    const signed = await redeem(await signIn())
    const { consent_hash } = signed.claims()
    const field = Buffer.from(consent_hash, 'base64url').toString('hex')
    assert.equal(field.length, 64)
    const proof = await (async () => {
      for (let turn = 0; turn < 40; turn += 1) {
        const answer = await fetch(`${house.demo.urls.ledger}/proof?field=${field}`)
        if (answer.status === 200) return answer.text()
        await new Promise((resolve) => setTimeout(resolve, 250))
      }
      return null
    })()
    assert.ok(proof, 'no proof within 10 s')
  })
}

const house = await startHouse(process.argv[2])
try {
  await run(house)
  console.log(`${passed} checks passed`)
} finally {
  house.stop()
}
