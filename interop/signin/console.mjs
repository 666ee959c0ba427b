// Chromium on the operator's console: link, passkey, every page, by keyboard, without a script, and as people with other eyes meet it.
// Usage: node console.mjs PATH-OF-TESSERA
import assert from 'node:assert/strict'
import { VIEWS, keepsNobodyOut } from './access.mjs'
import { startHouse } from './house.mjs'
import { atEnd, authenticator, checks, closeAll, openChromium, openProfile, until } from './screen.mjs'

const done = checks()
const { check } = done

/** The pages of the list; those of one object are found by their links. */
const PAGES = [
  '/console', '/console/relying-parties', '/console/enrolments', '/console/enrolments?state=waiting', '/console/signins',
  '/console/signins?range=90d&outcome=approved', '/console/relay', '/console/privacy', '/console/ledger', '/console/tenants',
  '/console/passkeys',
]

/** Goes to every page of the console, and to one of each object; `look` looks at each. */
async function walk(house, page, look) {
  const seen = [...PAGES]
  for (const list of ['relying-parties', 'enrolments']) {
    await page.goto(`${house.demo.urls.public}/console/${list}`)
    const one = page.locator(`main table a[href^="/console/${list}/"]`).first()
    if (await one.count()) seen.push(await one.getAttribute('href'))
  }
  for (const path of seen) {
    const answer = await page.goto(`${house.demo.urls.public}${path}`)
    assert.equal(answer.status(), 200, path)
    await look(path)
  }
  return seen.length
}

/** Presses Tab until the named thing has the focus. */
async function tabTo(page, name) {
  for (let turn = 0; turn < 80; turn += 1) {
    await page.keyboard.press('Tab')
    const focused = await page.evaluate(() => {
      const at = document.activeElement
      const ring = at && getComputedStyle(at)
      return { text: (at?.getAttribute('aria-label') ?? at?.textContent ?? '').trim(), tag: at?.tagName, ring: ring?.outlineStyle }
    })
    if (focused.text === name) {
      assert.notEqual(focused.ring, 'none', `the focus on ${name} is seen`)
      return
    }
  }
  throw new Error(`the keyboard never reached ${name}`)
}

/** A one-time link for another owner of the instance, made by one who is in. */
async function anotherLink(house, session) {
  const answer = await fetch(`${house.demo.urls.public}/api/v1/operators`, {
    method: 'POST',
    headers: { authorization: `Bearer ${session}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'another owner', role: 'owner' }),
  })
  const made = await answer.json()
  assert.equal(answer.status, 201, JSON.stringify(made))
  return made.link
}

async function actIn(page, tenant) {
  await page.getByLabel('Act in the tenant named').fill(tenant)
  await page.getByRole('button', { name: 'Go there' }).click()
  await page.getByText(`tenant ${tenant}`).waitFor()
}

async function run(house, chromium) {
  const base = house.demo.urls.public
  const tenant = new URL(house.tenant).pathname.split('/').pop()
  const { context, faults } = await openProfile(chromium)
  const page = await context.newPage()

  await check('the link of the demo opens the console once', async () => {
    await page.goto(house.demo.urls.console_once)
    await page.getByRole('heading', { name: 'One-time link' }).waitFor()
    await page.getByRole('button', { name: 'Open the session' }).click()
    await page.waitForURL(`${base}/console`)
    const again = await page.goto(house.demo.urls.console_once)
    assert.equal(again.status(), 410)
  })
  // The owner who is in makes links for the others of this run: by the same session, which is a bearer text to programs.
  const [cookie] = (await context.cookies()).filter(({ name }) => name === '__Host-tessera_console')
  await check('its cookie is out of reach of scripts and other sites', () => {
    assert.ok(cookie.httpOnly && cookie.secure)
    assert.equal(cookie.sameSite, 'Lax')
  })
  const link = () => anotherLink(house, cookie.value)

  await check('a passkey is added, and opens the console after a logout', async () => {
    const keys = await authenticator(page)
    await page.goto(`${base}/console/passkeys`)
    await page.getByLabel('What you call it').fill('virtual authenticator')
    await page.getByRole('button', { name: 'Add a passkey' }).click()
    await page.getByRole('rowheader', { name: 'virtual authenticator' }).waitFor()
    const [passkey, ...others] = await keys.credentials()
    assert.equal(others.length, 0)
    assert.equal(passkey.rpId, 'localhost')
    assert.ok(passkey.isResidentCredential)
    const other = await (await openProfile(chromium)).context.newPage()
    await other.goto(await link())
    await other.getByRole('button', { name: 'Open the session' }).click()
    const [kept] = (await other.context().cookies()).filter(({ name }) => name === '__Host-tessera_console')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL(`${base}/console/sign-in`)
    await page.goto(`${base}/console/signins?range=90d`)
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click()
    await page.waitForURL(`${base}/console/signins?range=90d`)
    const [fresh] = (await context.cookies()).filter(({ name }) => name === '__Host-tessera_console')
    assert.notEqual(fresh.value, cookie.value, 'another session')
    cookie.value = kept.value
    await other.context().close()
  })
  await check('a removed passkey opens nothing, and the page says so', async () => {
    await page.goto(`${base}/console/passkeys`)
    await page.getByRole('button', { name: 'Remove virtual authenticator' }).click()
    await page.getByText('You have none yet.').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click()
    await page.getByRole('heading', { name: 'the passkey was not accepted' }).waitFor()
  })
  await check('every page shows what the demo left, in the tenant that was chosen', async () => {
    await page.goto(await link())
    await page.getByRole('button', { name: 'Open the session' }).click()
    await actIn(page, tenant)
    const walked = await walk(house, page, async () => {
      assert.equal(await page.locator('h1').count(), 1)
      assert.equal(await page.locator('nav [aria-current="page"]').count(), 1)
    })
    assert.ok(walked >= PAGES.length + 2, 'a service and a device have a page each')
    await page.goto(`${base}/console/signins`)
    assert.ok((await page.locator('svg rect.approved').count()) > 0, 'approved sign-ins are drawn')
    await page.goto(`${base}/console/ledger`)
    assert.ok((await page.locator('main details').count()) > 0, 'checkpoints are listed')
    assert.match(await page.locator('pre').first().textContent(), /^tessera verify log http:.* --vkey '[^']+' --bearer-file token\.txt$/)
  })
  await check('its policy stopped nothing, and its script failed nowhere', () => assert.deepEqual(faults, []))

  await check('how the console looks is chosen by a form, kept, and left again', async () => {
    const { context, faults } = await openProfile(chromium, { colorScheme: 'light', javaScriptEnabled: false })
    const tab = await context.newPage()
    await tab.goto(await link())
    await tab.getByRole('button', { name: 'Open the session' }).click()
    await actIn(tab, tenant)
    const paper = async () => (await tab.locator('html').getAttribute('class')) ?? 'system'
    await tab.goto(`${base}/console/signins?range=90d`)
    assert.equal(await paper(), 'system')
    await tab.getByRole('button', { name: 'dark' }).click()
    assert.equal(tab.url(), `${base}/console/signins?range=90d`, 'back where it was')
    assert.equal(await paper(), 'dark')
    await tab.goto(`${base}/console/ledger`)
    assert.equal(await paper(), 'dark')
    assert.equal(await tab.getByRole('button', { name: 'dark' }).getAttribute('aria-pressed'), 'true')
    await tab.getByRole('button', { name: 'system' }).click()
    assert.equal(await paper(), 'system')
    assert.deepEqual(faults, [])
    await context.close()
  })
  await check('a dark console on a light system is dark, and keeps nobody out', async () => {
    const { context, faults } = await openProfile(chromium, { colorScheme: 'light' })
    const tab = await context.newPage()
    await tab.goto(await link())
    await tab.getByRole('button', { name: 'Open the session' }).click()
    await actIn(tab, tenant)
    const paper = () => tab.evaluate(() => getComputedStyle(document.body).backgroundColor)
    const before = await paper()
    await tab.getByRole('button', { name: 'dark' }).click()
    await tab.locator('html.dark').waitFor()
    assert.notEqual(await paper(), before)
    await walk(house, tab, (path) => keepsNobodyOut(tab, path))
    assert.deepEqual(faults, [])
    await context.close()
  })
  await check('a page that is open shows what happens elsewhere, without a reload and without a use of the session', async () => {
    const { context, faults } = await openProfile(chromium)
    const tab = await context.newPage()
    await tab.goto(await link())
    await tab.getByRole('button', { name: 'Open the session' }).click()
    await actIn(tab, tenant)
    const listening = tab.waitForResponse((answer) => answer.url() === `${base}/console/live`)
    await tab.goto(`${base}/console/ledger`)
    await listening
    await tab.evaluate(() => { window.notReloaded = true })
    const size = () => tab.locator('#live-facts').textContent()
    const before = await size()
    const registered = await house.api('POST', '/relying-parties', {
      name: 'Came meanwhile', legal_name: 'Came meanwhile SA', origins: ['http://localhost:4990'],
      redirect_uris: ['http://localhost:4990/cb'], scopes: ['openid'], auth_method: 'none', origin_proof: 'operator',
    })
    assert.equal(registered.status, 201, JSON.stringify(registered.body))
    await until('the new entries', async () => (await size()) !== before)
    assert.equal(await tab.evaluate(() => window.notReloaded), true)
    assert.deepEqual(faults, [])
    await context.close()
  })
  await check('two minutes before a session ends that nobody uses, the page says so, and a button keeps it', async () => {
    const { context, faults } = await openProfile(chromium)
    const tab = await context.newPage()
    await tab.clock.install()
    await tab.goto(await link())
    await tab.getByRole('button', { name: 'Open the session' }).click()
    await tab.waitForURL(`${base}/console`)
    const warning = tab.getByRole('alert')
    await tab.clock.fastForward('27:00')
    assert.equal(await warning.isVisible(), false)
    await tab.clock.fastForward('01:30')
    await warning.waitFor()
    await keepsNobodyOut(tab, 'the warning')
    await tab.getByRole('button', { name: 'Stay signed in' }).click()
    await warning.waitFor({ state: 'hidden' })
    await tab.clock.fastForward('29:00')
    await warning.waitFor()
    assert.deepEqual(faults, [])
    await context.close()
  })
  await check('texts that are not meant well are texts: nothing runs, nothing turns, nothing runs off the page', async () => {
    const texts = ['<script>window.pwned=1</script>', '\u202Eesrever\u2066', `"'&<>`, 'x'.repeat(100), '<img src=x onerror=window.pwned=1>']
    const ids = []
    for (const [n, text] of texts.entries()) {
      const origin = `http://localhost:${4970 + n}`
      const made = await house.api('POST', '/relying-parties', {
        name: text, legal_name: text, origins: [origin], redirect_uris: [`${origin}/cb?q=${encodeURIComponent(text)}`],
        scopes: ['openid'], auth_method: 'none', origin_proof: 'operator', purpose: { en: text },
      })
      assert.equal(made.status, 201, JSON.stringify(made.body))
      ids.push(made.body.id)
    }
    const { context, faults } = await openProfile(chromium, { viewport: { width: 320, height: 640 } })
    const tab = await context.newPage()
    await tab.goto(await link())
    await tab.getByRole('button', { name: 'Open the session' }).click()
    await actIn(tab, tenant)
    const strange = encodeURIComponent(texts.join(' '))
    const paths = [
      '/console/relying-parties', ...ids.map((id) => `/console/relying-parties/${id}`), `/console/signins?outcome=${strange}`,
      `/console/relying-parties/${strange}`, `/console/sign-in?return=${strange}`,
    ]
    for (const path of paths) {
      await tab.goto(`${base}${path}`)
      assert.equal(await tab.evaluate(() => window.pwned), undefined, path)
      // What turns the direction of reading stands in an element that keeps it in.
      const loose = await tab.evaluate(() => {
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
        const found = []
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
          if (/[\u202A-\u202E\u2066-\u2069]/.test(node.data)) {
            const style = getComputedStyle(node.parentElement)
            if (style.unicodeBidi !== 'isolate' && style.display === 'inline') found.push(node.data)
          }
        }
        return found
      })
      assert.deepEqual(loose, [], path)
      await keepsNobodyOut(tab, path)
    }
    assert.deepEqual(faults, [])
    await context.close()
  })

  for (const [name, options] of VIEWS) {
    await check(`nothing on the pages keeps anybody out: ${name}`, async () => {
      const { context, faults } = await openProfile(chromium, options)
      const tab = await context.newPage()
      const looked = (path) => keepsNobodyOut(tab, path)
      for (const path of ['/console/sign-in', '/once/x', '/problems', '/problems/console/form-token', '/console/sign-in?return=//x']) {
        await tab.goto(`${base}${path}`)
        await looked(path)
      }
      const once = await link()
      await tab.goto(once)
      await looked('the page of a link')
      await tab.getByRole('button', { name: 'Open the session' }).click()
      await looked('/console of the instance')
      await actIn(tab, tenant)
      await walk(house, tab, looked)
      assert.deepEqual(faults, [])
      await context.close()
    })
  }

  await check('one journey by the keyboard alone: in, another tenant, a page, out', async () => {
    const { context } = await openProfile(chromium)
    const tab = await context.newPage()
    await tab.goto(await link())
    await tabTo(tab, 'Open the session')
    await tab.keyboard.press('Enter')
    await tab.waitForURL(`${base}/console`)
    await tab.keyboard.press('Tab')
    await tab.keyboard.press('Enter')
    assert.equal(new URL(tab.url()).hash, '#main', 'the first stop skips to the content')
    await tab.keyboard.press('Tab')
    await tab.keyboard.type(tenant)
    await tab.keyboard.press('Enter')
    await tab.getByText(`tenant ${tenant}`).waitFor()
    await tabTo(tab, 'Relying parties')
    await tab.keyboard.press('Enter')
    await tab.getByRole('heading', { name: 'Relying parties' }).waitFor()
    await tabTo(tab, 'Sign out')
    await tab.keyboard.press('Enter')
    await tab.getByRole('heading', { name: 'Sign in to the console' }).waitFor()
    await context.close()
  })

  await check('without a script every page is there, a device is revoked, and passkeys say what they need', async () => {
    const { context, faults } = await openProfile(chromium, { javaScriptEnabled: false })
    const quiet = await context.newPage()
    await quiet.goto(`${base}/console/sign-in`)
    assert.equal(await quiet.getByRole('button').count(), 0)
    // Chromium shows what stands in noscript only where scripts are off for good; here the page must bring it.
    assert.match(await quiet.content(), /Passkeys need JavaScript; one-time links do not/)
    await quiet.goto(await link())
    await quiet.getByRole('button', { name: 'Open the session' }).click()
    await actIn(quiet, tenant)
    await walk(house, quiet, async () => {
      assert.equal(await quiet.locator('h1').count(), 1)
    })
    await quiet.goto(`${base}/console/enrolments?state=active`)
    await quiet.locator('main table a').first().click()
    await quiet.getByLabel('Why').selectOption('lost_device')
    await quiet.getByRole('button', { name: 'Revoke the device for ever' }).click()
    await quiet.getByText('Revoked').first().waitFor()
    assert.equal(await quiet.getByRole('button', { name: 'Revoke the device for ever' }).count(), 0)
    await quiet.getByRole('button', { name: 'Sign out' }).click()
    await quiet.getByRole('heading', { name: 'Sign in to the console' }).waitFor()
    assert.deepEqual(faults, [])
    await context.close()
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
