// Real Chromium with a virtual authenticator, a shop made of openid-client with a callback of its own, and the wallet on the
// command line beside them. Whatever is started here is ended by `closeAll`.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import * as client from 'openid-client'
import { chromium } from 'playwright-core'
import { Wallet } from './house.mjs'

export const PERSON = {
  given_name: 'Ida',
  family_name: 'Specimen',
  birth_date: '1990-04-12',
  number: 'SPECIMEN-SCREEN-1',
  expiry: '2031-01-01',
}
const SCOPES = ['openid', 'identity:age_over_18']
/** Longest wait for anything that a page shows: a loaded machine, not a slow house. */
export const PATIENCE_MS = 20_000

const ends = []
/** Ends everything that was started, newest first. */
export async function closeAll() {
  for (const end of ends.splice(0).reverse()) await Promise.resolve(end()).catch(() => {})
}
export const atEnd = (end) => ends.push(end)
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => closeAll().finally(() => process.exit(1)))

export function checks() {
  const done = { passed: 0 }
  done.check = async (name, act) => {
    await act()
    done.passed += 1
    console.log(`ok ${done.passed} ${name}`)
  }
  return done
}

/** Waits until `look` gives something. */
export async function until(what, look) {
  const late = Date.now() + PATIENCE_MS
  for (;;) {
    const seen = await look()
    if (seen) return seen
    if (Date.now() > late) throw new Error(`it never came: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** The wallet whose person reads the code from a screen. */
export class Person extends Wallet {
  /** Claims; once `code` gives what the screen shows, approves. The answer may wait for a passkey, so it can be ended. */
  begin(claimUri, code, grant = ['identity:age_over_18']) {
    const args = ['wallet', 'approve', claimUri, '--code', '-', '--grant', grant.join(',')]
    const child = spawn(this.house.binary, [...args, ...this.place, '-o', 'json', '--yes'], {
      env: this.house.env,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    atEnd(() => child.kill('SIGKILL'))
    child.stdin.on('error', () => {})
    let out = ''
    let said = ''
    child.stdout.on('data', (chunk) => (out += chunk))
    child.stderr.on('data', (chunk) => (said += chunk))
    const done = new Promise((resolve) => child.on('exit', (status) => resolve({ status, out, said })))
    // A wallet that refuses ends before any code is shown.
    const over = done.then(({ status, said }) => Promise.reject(new Error(`the wallet ended with ${status}: ${said}`)))
    const typed = Promise.race([code(), over]).then((text) => child.stdin.end(`${text}\n`))
    over.catch(() => {})
    return { done, typed, end: () => child.kill('SIGKILL') }
  }

  async approve(claimUri, code, grant) {
    const answering = this.begin(claimUri, code, grant)
    await answering.typed
    const answered = await answering.done
    assert.equal(answered.status, 0, answered.said)
    return answered
  }
}

/** A relying party with a callback that keeps where it was called. */
export class Shop {
  static async open(house, { port, name, acrMin, scopes = SCOPES }) {
    const shop = new Shop()
    shop.scopes = scopes
    shop.callbacks = []
    const server = createServer((request, response) => {
      if (request.url.startsWith('/cb')) shop.callbacks.push(new URL(request.url, shop.origin))
      response.setHeader('content-type', 'text/html')
      response.end('<!doctype html><title>Shop</title><h1>Back at the shop</h1>')
    })
    await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))
    atEnd(() => (server.closeAllConnections(), server.close()))
    shop.origin = `http://localhost:${port}`
    const made = await house.api('POST', '/relying-parties', {
      name,
      legal_name: `${name} SA`,
      origins: [shop.origin],
      redirect_uris: [`${shop.origin}/cb`],
      scopes,
      auth_method: 'none',
      origin_proof: 'operator',
      ...(acrMin ? { acr_min: acrMin } : {}),
    })
    assert.equal(made.status, 201, JSON.stringify(made.body))
    shop.keys = await client.randomDPoPKeyPair('ES256')
    shop.config = await client.discovery(new URL(house.idp), made.body.id, undefined, client.None(), {
      execute: [client.allowInsecureRequests],
    })
    return shop
  }

  /** A pushed request: the address that a browser opens, and what the shop remembers of it. */
  async ask(change = {}) {
    const verifier = client.randomPKCECodeVerifier()
    const asked = { state: client.randomState(), nonce: client.randomNonce() }
    const wanted = {
      redirect_uri: `${this.origin}/cb`,
      scope: this.scopes.join(' '),
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...asked,
      ...change,
    }
    const url = await client.buildAuthorizationUrlWithPAR(this.config, wanted, { DPoP: this.proof() })
    return { url, checks: { pkceCodeVerifier: verifier, expectedState: asked.state, expectedNonce: asked.nonce } }
  }

  /** The callback that belongs to what was asked. */
  calledBack({ checks }) {
    const mine = (url) => url.searchParams.get('state') === checks.expectedState
    return until('the callback', () => this.callbacks.find(mine))
  }

  proof() {
    return client.getDPoPHandle(this.config, this.keys)
  }

  async redeem(asked) {
    const DPoP = this.proof()
    return client.authorizationCodeGrant(this.config, await this.calledBack(asked), asked.checks, undefined, { DPoP })
  }
}

/** Chromium without a screen. Loopback names resolve inside it, whatever the machine's resolver says. */
export async function openChromium() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    handleSIGINT: false,
    handleSIGTERM: false,
  })
  atEnd(() => browser.close())
  return browser
}

/** A person's browser: pages whose policy violations and script faults are kept. */
export async function openProfile(chromium, options = {}) {
  const context = await chromium.newContext(options)
  context.setDefaultTimeout(PATIENCE_MS)
  const faults = []
  context.on('console', (message) => {
    if (/Content Security Policy|Refused to/i.test(message.text())) faults.push(message.text())
  })
  context.on('weberror', (error) => faults.push(String(error.error())))
  return { context, faults }
}

/** A virtual authenticator of a page, as a phone or a laptop has one built in. */
export async function authenticator(page) {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('WebAuthn.enable')
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
  return {
    credentials: async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
    add: (credential) => cdp.send('WebAuthn.addCredential', { authenticatorId, credential }),
  }
}

/** What the page says: the link for the wallet, and the code once it is there. */
export const claimUri = (page) => page.locator('#wallet ~ p a').first().getAttribute('href')
export async function shownCode(page) {
  const text = await page.locator('p.code').textContent()
  return text.replace(/\s/g, '')
}
