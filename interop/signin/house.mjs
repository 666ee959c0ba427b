// The program under test, started as a stranger starts it, and its own wallet on the command line.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Starts `tessera demo --json` and gives what it prints, with a client for its API. */
export async function startHouse(binary) {
  const home = mkdtempSync(join(tmpdir(), 'tessera-interop-'))
  const env = { ...process.env, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home }
  const child = spawn(binary, ['demo', '--json', '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'], env })
  const demo = await new Promise((resolve, reject) => {
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
  assert.equal(demo.ok, true)
  const answer = await fetch(demo.auth.token_url, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: demo.auth.client_id,
      client_secret: demo.auth.client_secret,
    }),
  })
  const { access_token } = await answer.json()
  const api = async (method, path, body) => {
    const answer = await fetch(`${demo.urls.public}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${access_token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    return { status: answer.status, body: await answer.json().catch(() => ({})) }
  }
  const idp = demo.urls.openid_configuration.replace('/.well-known/openid-configuration', '')
  return { demo, api, idp, env, binary, tenant: idp.replace(/\/idp$/, ''), stop: () => child.kill('SIGTERM') }
}

/** The wallet of `tessera wallet`, in a home of its own. */
export class Wallet {
  constructor(house, name) {
    this.house = house
    this.home = mkdtempSync(join(tmpdir(), `tessera-wallet-${name}-`))
    const passphrase = join(this.home, 'passphrase')
    writeFileSync(passphrase, 'specimen passphrase of an interop run\n', { mode: 0o600 })
    this.place = ['--home', join(this.home, 'wallet'), '--passphrase-file', passphrase]
    this.run(['init'])
  }

  run(args, { input } = {}) {
    const text = execFileSync(this.house.binary, ['wallet', ...args, ...this.place, '-o', 'json', '--yes'], {
      env: this.house.env,
      input: input ?? '',
      encoding: 'utf8',
    })
    return JSON.parse(text)
  }

  /** Enrols with the identity provider of the house, by an organisational seal that its operator issued. */
  async enrol(person) {
    const issued = await this.house.api('POST', '/document-seals', { type: 'organisation', claims: person })
    assert.equal(issued.status, 201, JSON.stringify(issued.body))
    const file = join(this.home, 'document.seal')
    writeFileSync(file, issued.body.seal)
    return this.run(['enrol', this.house.tenant, '--document-seal', file])
  }

  /** Claims a session, then reads the code that the page shows, as a person would, and answers. */
  approve(claimUri, { code, grant, deny = false }) {
    const choice = deny ? ['--deny'] : ['--grant', grant.join(',')]
    const args = ['wallet', 'approve', claimUri, '--code', '-', ...choice, ...this.place, '-o', 'json', '--yes']
    const child = spawn(this.house.binary, args, { env: this.house.env, stdio: ['pipe', 'pipe', 'pipe'] })
    let out = ''
    let said = ''
    child.stdout.on('data', (chunk) => (out += chunk))
    child.stderr.on('data', (chunk) => (said += chunk))
    const done = new Promise((resolve) => child.on('exit', (status) => resolve({ status, out, said })))
    if (deny) child.stdin.end()
    else code().then((text) => child.stdin.end(`${text}\n`), () => child.stdin.end())
    return done
  }
}

/** A browser without a screen: one cookie, and the JSON forms of the sign-in page. */
export class Browser {
  cookies = new Map()

  async get(url, headers = {}) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(url, { redirect: 'manual', headers: { ...(cookie ? { cookie } : {}), ...headers } })
    for (const line of answer.headers.getSetCookie()) {
      const [pair] = line.split(';')
      const at = pair.indexOf('=')
      this.cookies.set(pair.slice(0, at), pair.slice(at + 1))
    }
    return answer
  }

  /** The page as JSON; a request that was not pushed is kept first, and the browser sent to what was kept. */
  async open(url) {
    let answer = await this.get(url, { accept: 'application/json' })
    if (answer.status === 303) answer = await this.get(new URL(answer.headers.get('location'), url), { accept: 'application/json' })
    assert.equal(answer.status, 200, await answer.clone().text())
    return answer.json()
  }

  /** Polls the session's state until it has what is wanted. */
  async until(session, wanted) {
    for (let turn = 0; turn < 40; turn += 1) {
      const state = await (await this.get(session.state_url)).json()
      if (wanted(state)) return state
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
    throw new Error('the session never came that far')
  }

  code(session) {
    return this.until(session, (state) => state.code).then((state) => state.code)
  }

  /** Follows `finish` to where the relying party is called back. */
  async finish(session) {
    const { finish } = await this.until(session, (state) => state.finish)
    const answer = await this.get(finish)
    assert.equal(answer.status, 303)
    return new URL(answer.headers.get('location'))
  }
}
