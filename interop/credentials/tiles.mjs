// Walks a C2SP tile log and recomputes its root, with nothing but node's hash: every bundle, every tile of every level.
import { createHash } from 'node:crypto'

const hash = (...parts) => {
  const h = createHash('sha256')
  for (const part of parts) h.update(part)
  return h.digest()
}
const leafHash = (entry) => hash(Buffer.of(0), entry)
const nodeHash = (left, right) => hash(Buffer.of(1), left, right)

/** `1234067` as `x001/x234/067`. */
function tileNumber(n) {
  const groups = []
  let rest = n
  do {
    groups.unshift(String(rest % 1000).padStart(3, '0'))
    rest = Math.floor(rest / 1000)
  } while (rest > 0)
  return groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/')
}

function root(leaves) {
  if (leaves.length === 0) return hash()
  if (leaves.length === 1) return leaves[0]
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  return nodeHash(root(leaves.slice(0, split)), root(leaves.slice(split)))
}

/** Fetches the checkpoint of `base` and recomputes everything below it; returns `{ origin, size, root, entries }` or throws. */
export async function walk(base, bearer) {
  const headers = bearer ? { authorization: `Bearer ${bearer}` } : {}
  const get = async (path) => {
    const answer = await fetch(`${base}/${path}`, { headers })
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
    return Buffer.from(await answer.arrayBuffer())
  }
  const [origin, sizeText, rootText] = (await get('checkpoint')).toString().split('\n')
  const size = Number(sizeText)
  const entries = []
  for (let n = 0; n * 256 < size; n++) {
    const width = Math.min(256, size - n * 256)
    let bundle = await get(`tile/entries/${tileNumber(n)}${width < 256 ? `.p/${width}` : ''}`)
    for (let i = 0; i < width; i++) {
      const length = bundle.readUInt16BE(0)
      entries.push(bundle.subarray(2, 2 + length))
      bundle = bundle.subarray(2 + length)
    }
    if (bundle.length) throw new Error(`bundle ${n} has bytes left over`)
  }
  let level = entries.map(leafHash)
  const leaves = level
  for (let l = 0; level.length > 0; l++) {
    for (let n = 0; n * 256 < level.length; n++) {
      const width = Math.min(256, level.length - n * 256)
      const tile = await get(`tile/${l}/${tileNumber(n)}${width < 256 ? `.p/${width}` : ''}`)
      if (!tile.equals(Buffer.concat(level.slice(n * 256, n * 256 + width)))) throw new Error(`tile ${l}/${n} differs`)
    }
    const next = []
    for (let n = 0; (n + 1) * 256 <= level.length; n++) next.push(root(level.slice(n * 256, (n + 1) * 256)))
    level = next
  }
  if (root(leaves).toString('base64') !== rootText) throw new Error('the root does not follow from the entries')
  return { origin, size, root: rootText, entries }
}
