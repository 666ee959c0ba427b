// The two servers, each a process of its own, behind one shape:
// `{ name, pid, issuer, vct, metadata, offers, verifications, token(worker), end() }`.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Caller, formBody, jsonBody } from './http.mjs'

const START_TIMEOUT_MS = 60_000

/** Ours: the binary as `serve --dev` runs it, SQLite with synchronous=FULL in a folder of its own. */
export async function startOurs(binary, workers, folder = tmpdir()) {
  const home = mkdtempSync(join(folder, 'tessera-bench-'))
  const data = join(home, 'data')
  const child = spawn(binary, ['serve', '--dev', '--data', data, '--port', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home },
  })
  const base = await said(child, child.stderr, /API +(http:\S+)\/api\/v1/)
  const caller = new Caller(200)
  const grant = async (client_id, client_secret) => {
    const form = formBody({ grant_type: 'client_credentials', client_id, client_secret })
    return (await caller.json('POST', `${base}/oauth/token`, form)).body.access_token
  }
  await said(child, child.stderr, /First link/)
  const ownerAccount = readFileSync(join(data, 'dev-client'), 'utf8').trim().split(' ')
  let owner = await grant(...ownerAccount)
  // An account a worker, as rates are counted per account.
  const accounts = []
  for (let worker = 0; worker < workers; worker++) {
    const wanted = jsonBody({ name: `bench ${worker}`, roles: ['owner'] }, owner)
    accounts.push((await caller.json('POST', `${base}/api/v1/service-accounts`, wanted)).body)
  }
  let tokens = []
  const renew = async () => {
    owner = await grant(...ownerAccount)
    tokens = await Promise.all(accounts.map(({ id, secret }) => grant(id, secret)))
  }
  await renew()
  return {
    name: 'tessera',
    pid: child.pid,
    base,
    owner: () => owner,
    issuer: `${base}/t/default`,
    vct: `${base}/t/default/vct/diploma`,
    metadata: [
      `${base}/.well-known/openid-credential-issuer/t/default`,
      `${base}/.well-known/oauth-authorization-server/t/default`,
    ],
    offers: `${base}/api/v1/credentials/issue`,
    verifications: `${base}/api/v1/verification/request`,
    result: (id) => `${base}/api/v1/verification/${id}`,
    token: (worker) => tokens[worker],
    renew,
    end: async () => {
      caller.close()
      await ended(child)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** The peer of `peer.mjs`. */
export async function startPeer() {
  const child = spawn(process.execPath, [new URL('./peer.mjs', import.meta.url).pathname], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const told = JSON.parse(await said(child, child.stdout, /^(\{.*\})$/m))
  return {
    name: 'npm peer',
    pid: child.pid,
    ...told,
    result: (id) => `${told.verifications}/${id}`,
    token: () => undefined,
    renew: async () => {},
    end: () => ended(child),
  }
}

/** The first group of `pattern` in what `child` says. */
export function said(child, stream, pattern) {
  return new Promise((resolve, reject) => {
    let text = ''
    const late = setTimeout(() => reject(new Error(`the server did not start: ${text}`)), START_TIMEOUT_MS)
    const hear = (chunk) => {
      text += chunk
      const found = pattern.exec(text)
      if (!found) return
      clearTimeout(late)
      stream.off('data', hear)
      stream.resume()
      resolve(found[1])
    }
    stream.on('data', hear)
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${text}`)))
  })
}

export function ended(child) {
  child.removeAllListeners('exit')
  return new Promise((resolve) => {
    child.once('exit', resolve)
    child.kill('SIGTERM')
  })
}
