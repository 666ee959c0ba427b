// SIGKILL in the middle of sign-ins: the real program on one data folder, Chromium on its pages, a wallet that answers while it dies.
// Nobody gets in twice, and no page stands still for more than 3 s once the program is ready again.
// Usage: node killed.mjs PATH-OF-TESSERA [ROUNDS]
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Caller } from '../bench-credentials/http.mjs'
import { Wallet } from '../bench-signin/wallet.mjs'
import { Shop, atEnd, checks, claimUri, closeAll, openChromium, openProfile, shownCode, until } from './screen.mjs'

/** Longest time that a page may stand still. */
const STILL_MS_MAX = 3_000
const rounds = Number(process.argv[3] ?? 6)

/** The program on one folder and port, to be killed and started again. */
class House {
  constructor(binary, port) {
    this.binary = binary
    this.port = port
    this.base = `http://localhost:${port}`
    this.tenant = `${this.base}/t/default`
    this.idp = `${this.tenant}/idp`
    this.home = mkdtempSync(join(tmpdir(), 'tessera-killed-'))
    this.env = { ...process.env, XDG_CONFIG_HOME: this.home, XDG_DATA_HOME: this.home }
    atEnd(() => (this.child?.kill('SIGKILL'), rmSync(this.home, { recursive: true, force: true })))
  }

  /** Starts it, and gives when it was ready. */
  async start() {
    const args = ['serve', '--dev', '--data', join(this.home, 'data'), '--port', String(this.port)]
    this.child = spawn(this.binary, args, { stdio: 'ignore', env: this.env })
    await until('readiness', () => fetch(`${this.base}/readyz`).then((answer) => answer.ok, () => false))
    return performance.now()
  }

  async kill() {
    const gone = new Promise((resolve) => this.child.once('exit', resolve))
    this.child.kill('SIGKILL')
    await gone
  }

  api = async (method, path, body) => {
    const [client_id, client_secret] = readFileSync(join(this.home, 'data/dev-client'), 'utf8').trim().split(' ')
    const form = new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret })
    const { access_token } = await (await fetch(`${this.base}/oauth/token`, { method: 'POST', body: form })).json()
    const headers = { authorization: `Bearer ${access_token}`, ...(body ? { 'content-type': 'application/json' } : {}) }
    const answer = await fetch(`${this.base}/api/v1${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
    return { status: answer.status, body: await answer.json().catch(() => ({})) }
  }
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

const outcomeOf = (act) => act.then((value) => ({ value }), (fault) => ({ fault }))
const signedIn = (page) => page.getByText('Signed in with device')

/** How long `locator` takes to be there, counted from `since`. */
async function stillFor(since, locator) {
  await locator.waitFor()
  return performance.now() - since
}

async function run(house, chromium) {
  const { check } = done
  await house.start()
  await until('its first account', () => existsSync(join(house.home, 'data/dev-client')))
  const shop = await Shop.open(house, { port: await freePort(), name: 'Shop', scopes: ['openid'] })
  const caller = new Caller(9)
  atEnd(() => caller.close())
  const wallet = await Wallet.enrol(caller, house.tenant)
  const { context } = await openProfile(chromium)
  const page = await context.newPage()
  const lines = async () => (await house.api('GET', '/signins?limit=200')).body.items.filter((line) => line.outcome === 'approved')

  const begin = async () => {
    const asked = await shop.ask()
    await page.goto(asked.url.href)
    return { asked, uri: await claimUri(page) }
  }

  await check('a page that was open when the program was killed shows the code of a wallet that claims after it', async () => {
    const { asked, uri } = await begin()
    await house.kill()
    const ready = await house.start()
    const claim = await wallet.claim(uri)
    const still = await stillFor(ready, page.locator('p.code'))
    assert.ok(still <= STILL_MS_MAX, `${still.toFixed(0)} ms`)
    await wallet.approve(claim, await shownCode(page))
    const answered = performance.now()
    assert.ok((await stillFor(answered, signedIn(page))) <= STILL_MS_MAX)
    await page.getByRole('link', { name: /^Continue/ }).click()
    await shop.redeem(asked)
  })

  await check('a proxy that answers for the program while it is down does not stop the page', async () => {
    const { uri } = await begin()
    // What a proxy says: no stream, so that the browser itself would never come again.
    let isDown = true
    await page.route('**/events', (route) => (isDown ? route.fulfill({ status: 502, body: 'Bad gateway' }) : route.continue()))
    await house.kill()
    const ready = await house.start()
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    isDown = false
    await wallet.claim(uri)
    const still = await stillFor(Math.max(ready, performance.now()), page.locator('p.code'))
    assert.ok(still <= STILL_MS_MAX, `${still.toFixed(0)} ms`)
    await page.unroute('**/events')
  })

  let longest = 0
  for (let round = 0; round < rounds; round += 1) {
    await check(`killed while a wallet answers, one sign-in and no more, round ${round + 1}`, async () => {
      const before = (await lines()).length
      const { asked, uri } = await begin()
      const claim = await wallet.claim(uri)
      const code = await shownCode(page)
      const first = outcomeOf(wallet.approve(claim, code))
      await new Promise((resolve) => setTimeout(resolve, round * 2))
      await house.kill()
      const told = await first
      const ready = await house.start()
      // Whoever heard nothing asks again; what was committed is not there any more.
      const second = told.fault ? await outcomeOf(wallet.approve(claim, code)) : undefined
      const still = await stillFor(ready, signedIn(page))
      longest = Math.max(longest, still)
      assert.ok(still <= STILL_MS_MAX, `${still.toFixed(0)} ms`)
      const successes = [told, second].filter((one) => one && !one.fault).length
      assert.ok(successes <= 1)
      if (successes === 0) assert.match(String(second.fault), /404/)
      assert.equal((await lines()).length, before + 1)
      await page.getByRole('link', { name: /^Continue/ }).click()
      await shop.redeem(asked)
      await assert.rejects(shop.redeem(asked))
    })
  }
  for (let round = 0; round < rounds; round += 1) {
    await check(`killed while a code is redeemed, tokens once and no more, round ${round + 1}`, async () => {
      const { asked, uri } = await begin()
      await wallet.approve(await wallet.claim(uri), await shownCode(page))
      await signedIn(page).waitFor()
      await page.getByRole('link', { name: /^Continue/ }).click()
      await shop.calledBack(asked)
      const first = outcomeOf(shop.redeem(asked))
      await new Promise((resolve) => setTimeout(resolve, 2 + round * 3))
      await house.kill()
      const told = await first
      await house.start()
      const second = await outcomeOf(shop.redeem(asked))
      assert.ok([told, second].filter((one) => !one.fault).length <= 1, 'a code gave tokens twice')
      if (second.fault) assert.match(JSON.stringify(second.fault.cause ?? {}) + second.fault.error, /invalid_grant/)
    })
  }
  console.log(`the longest that a page stood still: ${longest.toFixed(0)} ms`)
}

const done = checks()
try {
  await run(new House(process.argv[2], await freePort()), await openChromium())
  console.log(`${done.passed} checks passed`)
} finally {
  await closeAll()
}
