// Chromium on the sign-in pages: with a script and without, in two tabs, with a passkey, and as people with other eyes meet them.
// Usage: node browser.mjs PATH-OF-TESSERA
import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { VIEWS, keepsNobodyOut } from './access.mjs'
import { startHouse } from './house.mjs'
import {
  PERSON, Person, Shop, atEnd, authenticator, checks, claimUri, closeAll, openChromium, openProfile, shownCode, until,
} from './screen.mjs'

const done = checks()
const { check } = done

/** Signs in on a page that is open already; the code is read from `screen`. */
async function signIn(page, wallet, screen = page) {
  await wallet.approve(await claimUri(page), () => shownCode(screen))
  await page.getByText('Signed in with device').waitFor()
}

const go = (page) => page.getByRole('link', { name: /^Continue to/ }).click()

async function run(house, chromium) {
  const shop = await Shop.open(house, { port: 4996, name: 'Shop' })
  const bank = await Shop.open(house, { port: 4995, name: 'Bank', acrMin: 'phr' })
  const ana = new Person(house, 'ana')
  const { device } = await ana.enrol(PERSON)
  const { context, faults } = await openProfile(chromium)
  const page = await context.newPage()

  await check('the page opens, shows the code when a wallet has claimed, and leads back to the shop', async () => {
    const asked = await shop.ask()
    await page.goto(asked.url.href)
    assert.equal(await page.title(), 'Sign in – Shop SA')
    assert.equal(await page.locator('p.code').count(), 0)
    await ana.approve(await claimUri(page), async () => {
      const code = await shownCode(page)
      assert.match(code, /^\d{6}$/)
      return code
    })
    await page.getByText(`Signed in with device …${device}`).waitFor()
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1')
    assert.equal(shop.callbacks.length, 0, 'it waits for Continue')
    await go(page)
    await page.waitForURL(`${shop.origin}/cb?**`)
    const tokens = await shop.redeem(asked)
    assert.equal(tokens.claims().acr, 'seal:code')
  })
  await check('its policy stopped nothing, and its script failed nowhere', () => assert.deepEqual(faults, []))
  await check('the same page without a script looks again by itself', async () => {
    const plain = await openProfile(chromium, { javaScriptEnabled: false })
    const quiet = await plain.context.newPage()
    const asked = await shop.ask()
    await quiet.goto(asked.url.href)
    const uri = await claimUri(quiet)
    // A person without a script who types no handle reloads, or waits for the page to.
    const code = async () => {
      await until('the code', async () => {
        await quiet.reload()
        return (await quiet.locator('p.code').count()) > 0
      })
      return shownCode(quiet)
    }
    await ana.approve(uri, code)
    await quiet.getByText('Signed in with device').waitFor()
    await go(quiet)
    await quiet.waitForURL(`${shop.origin}/cb?**`)
    assert.equal((await shop.redeem(asked)).claims().acr, 'seal:code')
    assert.deepEqual(plain.faults, [])
    await plain.context.close()
  })
  await check('a handle is typed without a script, and a button of the page cancels', async () => {
    const plain = await openProfile(chromium, { javaScriptEnabled: false })
    const quiet = await plain.context.newPage()
    const asked = await shop.ask()
    await quiet.goto(asked.url.href)
    await quiet.getByLabel('Or type the handle').fill('AAAA-AAAA')
    await quiet.getByRole('button', { name: 'Ask my wallet' }).click()
    await quiet.getByRole('heading', { name: 'Sign in' }).waitFor()
    await quiet.getByRole('button', { name: 'Cancel' }).click()
    await quiet.getByRole('link', { name: /^Back to/ }).click()
    await quiet.waitForURL(`${shop.origin}/cb?**`)
    assert.equal((await shop.calledBack(asked)).searchParams.get('error'), 'access_denied')
    await plain.context.close()
  })
  await check('a reload at each step keeps the session', async () => {
    const asked = await shop.ask()
    await page.goto(asked.url.href)
    const uri = await claimUri(page)
    await page.reload()
    assert.equal(await claimUri(page), uri)
    await ana.approve(uri, async () => {
      const before = await shownCode(page)
      await page.reload()
      assert.equal(await shownCode(page), before)
      return before
    })
    await page.getByText('Signed in with device').waitFor()
    await page.reload()
    await go(page)
    await page.waitForURL(`${shop.origin}/cb?**`)
    await shop.redeem(asked)
  })
  await check('two tabs of one browser sign in beside each other', async () => {
    const [one, two] = [await shop.ask(), await shop.ask()]
    const other = await context.newPage()
    await page.goto(one.url.href)
    await other.goto(two.url.href)
    await signIn(other, ana)
    await signIn(page, ana)
    for (const [tab, asked] of [[page, one], [other, two]]) {
      await go(tab)
      await tab.waitForURL(`${shop.origin}/cb?**`)
      await shop.redeem(asked)
    }
    await other.close()
  })
  await check('one session in two tabs is one session, and both come to its end', async () => {
    const asked = await shop.ask()
    const other = await context.newPage()
    await page.goto(asked.url.href)
    await other.goto(asked.url.href)
    assert.equal(await claimUri(other), await claimUri(page))
    await signIn(page, ana, other)
    await other.getByText('Signed in with device').waitFor()
    await go(other)
    await other.waitForURL(`${shop.origin}/cb?**`)
    await shop.redeem(asked)
    await other.close()
  })

  await check('where a passkey is needed and the person has none, the service is told so', async () => {
    const asked = await bank.ask()
    await page.goto(asked.url.href)
    const answering = ana.begin(await claimUri(page), () => shownCode(page))
    await answering.typed
    await answering.done
    await page.getByRole('link', { name: /^Back to/ }).click()
    await page.waitForURL(`${bank.origin}/cb?**`)
    const callback = await bank.calledBack(asked)
    assert.equal(callback.searchParams.get('error'), 'unmet_authentication_requirements')
  })
  await check('where it is only wished for, the sign-in says truly that it was a code', async () => {
    const asked = await shop.ask({ acr_values: 'phr' })
    await page.goto(asked.url.href)
    await signIn(page, ana)
    await go(page)
    assert.equal((await shop.redeem(asked)).claims().acr, 'seal:code')
  })

  // The authenticator belongs to this page.
  const keys = await authenticator(page)
  await check("a passkey is added by a link of the person's wallet, once", async () => {
    const { url } = ana.run(['passkey', house.tenant])
    await page.goto(url)
    await page.getByRole('button', { name: 'Add a passkey' }).click()
    await page.getByText('The passkey was added').waitFor()
    const [passkey, ...others] = await keys.credentials()
    assert.equal(others.length, 0)
    assert.equal(passkey.rpId, 'localhost')
    assert.ok(passkey.isResidentCredential)
    await page.goto('about:blank')
    await page.goto(url)
    await page.getByRole('button', { name: 'Add a passkey' }).click()
    await page.getByText('No passkey was added').waitFor()
  })
  const byPasskey = async (shop, change) => {
    const asked = await shop.ask(change)
    await page.goto(asked.url.href)
    const answering = ana.begin(await claimUri(page), () => shownCode(page))
    await answering.typed
    await page.getByRole('button', { name: 'Use a passkey' }).click()
    const answered = await answering.done
    assert.equal(answered.status, 0, answered.said)
    // The browser proved itself, so the page goes on alone.
    await page.waitForURL(`${shop.origin}/cb?**`)
    return (await shop.redeem(asked)).claims()
  }
  await check('with it the sign-in is phishing-resistant, and the ID Token says so', async () => {
    for (const [where, change] of [[bank, {}], [shop, { acr_values: 'phr' }]]) {
      const claims = await byPasskey(where, change)
      assert.equal(claims.acr, 'phr')
      for (const method of ['pop', 'mfa', 'otp']) assert.ok(claims.amr.includes(method), `${method} in ${claims.amr}`)
    }
  })
  await check('used before the wallet answers, the passkey asks that wallet by itself', async () => {
    const asked = await bank.ask()
    await page.goto(asked.url.href)
    await page.getByRole('button', { name: 'Use a passkey' }).click()
    await page.locator('#session[data-seen="open.asserted"]').waitFor()
    await ana.approve('next', () => shownCode(page))
    await page.waitForURL(`${bank.origin}/cb?**`)
    assert.equal((await bank.redeem(asked)).claims().acr, 'phr')
  })
  await check('another person cannot finish what this passkey began', async () => {
    const ben = new Person(house, 'ben')
    await ben.enrol({ ...PERSON, given_name: 'Ben', number: 'SPECIMEN-SCREEN-2' })
    const asked = await bank.ask()
    await page.goto(asked.url.href)
    // Once the wallet answers, the page ends by itself: this person has no passkey.
    const answering = ben.begin(await claimUri(page), async () => {
      const code = await shownCode(page)
      await page.getByRole('button', { name: 'Use a passkey' }).click()
      return code
    })
    await answering.typed
    await page.getByRole('heading', { name: 'Sign-in failed' }).waitFor()
    assert.notEqual((await answering.done).status, 0)
  })
  await check('in all of this its policy stopped nothing', () => assert.deepEqual(faults, []))
  await check('another browser with the address of a session gets neither page nor end (login CSRF)', async () => {
    const asked = await shop.ask()
    await page.goto(asked.url.href)
    const sid = (await claimUri(page)).split('/').pop()
    const stranger = await (await openProfile(chromium)).context.newPage()
    for (const path of ['', '/state', '/finish']) {
      const answer = await stranger.goto(`${house.idp}/sessions/${sid}${path}`)
      assert.equal(answer.status(), 401)
    }
    // Nor does the request itself open a second session for it.
    await stranger.goto(asked.url.href)
    assert.equal(await stranger.locator('#session').count(), 0)
    await stranger.context().close()
  })

  for (const [name, options] of VIEWS) {
    await check(`nothing on the pages keeps anybody out: ${name}`, async () => {
      const { context, faults } = await openProfile(chromium, options)
      const tab = await context.newPage()
      const looked = () => keepsNobodyOut(tab, tab.url())
      const asked = await shop.ask()
      await tab.goto(asked.url.href)
      await looked()
      await ana.approve(await claimUri(tab), async () => {
        const code = await shownCode(tab)
        await looked()
        return code
      })
      await tab.getByText('Signed in with device').waitFor()
      await looked()
      await tab.goto(`${house.idp}/authorize?client_id=x&request_uri=y`)
      await looked()
      await tab.goto(`${house.idp}/passkeys#x`)
      await looked()
      assert.deepEqual(faults, [])
      await context.close()
    })
  }
}

const house = await startHouse(process.argv[2])
atEnd(() => house.stop())
try {
  await run(house, await openChromium())
  console.log(`${done.passed} checks passed`)
} finally {
  await closeAll()
}
