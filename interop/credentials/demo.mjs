// A house to talk to: `tessera demo` on free ports, and its API as the printed client calls it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const STORY_TIMEOUT_MS = 60_000

/** Starts the demo of `binary`: `{ urls, api, close }`. `api(method, path, body)` answers `{ status, body }`. */
export async function openHouse(binary) {
  const home = mkdtempSync(join(tmpdir(), 'tessera-interop-'))
  const child = spawn(binary, ['demo', '--json', '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home },
  })
  const close = () => {
    child.removeAllListeners('exit')
    child.kill('SIGTERM')
    rmSync(home, { recursive: true, force: true })
  }
  try {
    const { ok, urls, auth } = await told(child)
    assert.equal(ok, true)
    const bearer = await token(auth)
    return { urls, api: (method, path, body) => call(urls.public, bearer, method, path, body), close }
  } catch (error) {
    close()
    throw error
  }
}

/** The JSON that the demo prints once it stands. */
function told(child) {
  return new Promise((resolve, reject) => {
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
    setTimeout(() => reject(new Error('the demo said nothing in time')), STORY_TIMEOUT_MS).unref()
  })
}

async function token({ token_url, client_id, client_secret }) {
  const form = { grant_type: 'client_credentials', client_id, client_secret }
  const answer = await fetch(token_url, { method: 'POST', body: new URLSearchParams(form) })
  assert.equal(answer.status, 200)
  return (await answer.json()).access_token
}

async function call(origin, bearer, method, path, body) {
  const answer = await fetch(`${origin}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${bearer}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  return { status: answer.status, body: await answer.json().catch(() => ({})) }
}
