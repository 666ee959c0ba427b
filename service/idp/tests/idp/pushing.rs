//! Pushes: the contact that an enrolment makes, the row of a sign-in, its limits and its end. The cells themselves are the affair of
//! the program around this room.

use crate::house::{COOKIE, House};
use crate::wallet::{Wallet, challenge_of};
use crypto::base64;
use mailbox::calendar::Calendar;
use mailbox::client::{Client, Input, Moment, Network, Settings};
use mailbox::contact::ContactState;
use mailbox::network::Class;
use seal::push::Push;
use serde_json::{Value, json};
use tessera_idp::outbox::{PUSH_TURNS, PushNetwork};
use tessera_idp::signin::Opened;

const RELAY: &str = "http://localhost:8100";

fn network(id: u8) -> Network {
    Network {
        id: [id; 32],
        calendar: Calendar::new(0, 86_400_000, 60_000, 1_000).unwrap(),
        is_bucketed: false,
        catches_up: true,
        retention_ms: 86_400_000,
        is_dev: true,
        events: 10,
    }
}

/// A house that pushes.
async fn pushing() -> House {
    let house = House::new().await;
    house.idp.push_over(PushNetwork { network: network(1), url: RELAY.to_owned() });
    house
}

fn at<R>(house: &House, act: impl FnOnce(&mut Moment<'_>) -> R) -> R {
    let now_ms = house.now().as_millisecond().unsigned_abs();
    act(&mut Moment { now_ms, entropy: &mut crypto::random::fill })
}

fn member(house: &House, id: u8) -> Client {
    at(house, |moment| Client::new(network(id), Settings::MEMBER, "Ana Quillfeather", moment))
}

/// Enrols with an offer of this member; the contact that it made there.
async fn enrolled(house: &House, member: &mut Client) -> Wallet {
    let offer = at(house, |moment| member.offer(RELAY, moment)).unwrap();
    let mut wallet = Wallet::new(house).await;
    let begun = wallet.begin(house, None).await;
    let mut body = wallet.enrol_body(&challenge_of(&begun), None);
    body["relay"] = base64::url_encode(offer.invite().encode().expose()).into();
    let reply = wallet.complete_with(house, &body).await;
    let hello = base64::url_decode(reply["relay"].as_str().unwrap()).unwrap();
    at(house, |moment| member.enrol_by(&offer, &hello, "idp", moment)).unwrap();
    wallet
}

async fn asked(house: &House, shop: &Value, handle: &str) -> Opened {
    let opened = house.open(shop).await;
    house.idp.post_handle(&house.ctx(), &opened.sid, COOKIE, handle).await.unwrap();
    opened
}

async fn rows(house: &House) -> i64 {
    let stmt = store::Stmt::new("SELECT count(*) FROM idp_outbox WHERE tenant_id = :tenant");
    house.store.read(&house.ctx()).one(stmt).await.unwrap().unwrap().int(0).unwrap()
}

#[tokio::test]
async fn an_enrolment_makes_the_contact_and_a_sign_in_its_push_under_one_key_of_it() {
    let house = pushing().await;
    let metadata = house.raw("GET", "/t/default/seal/metadata", &[], None).await.json();
    assert_eq!(metadata["relay"], json!({ "network": "01".repeat(32), "url": RELAY }));
    let mut ana = member(&house, 1);
    let (shop, wallet) = (house.shop().await, enrolled(&house, &mut ana).await);
    assert_eq!(ana.contacts()[0].state(), ContactState::Verified);
    let opened = asked(&house, &shop, &wallet.handle).await;
    assert_eq!(house.idp.tenants_with_pushes(), vec![house.tenant.id.clone()]);
    assert!(house.idp.tenants_with_pushes().is_empty());

    let mut waiting = house.idp.waiting_pushes(&house.ctx()).await.unwrap();
    let push = waiting.pop().unwrap();
    assert!(waiting.is_empty());
    let issuer = "http://localhost:8400/t/default/idp";
    let told = Push::parse(push.payload.expose(), issuer, house.now()).unwrap();
    assert_eq!((told.sid, told.rp.as_str()), (opened.sid, "http://localhost:4999"));
    assert_eq!(told.expires_at_s, opened.expires_at.as_second());

    // The server's end of the contact, as the loop drives it: the cell opens at the member's end.
    let mut server = at(&house, |moment| Client::new(network(1), Settings::server(PUSH_TURNS), "", moment));
    let id = server.add_contact(push.contact.expose()).unwrap();
    assert_eq!(server.contact(id).unwrap().name(), "");
    server.push(id, push.payload.expose(), push.expires_at_ms).unwrap();
    let cells = fast_round(&house, &mut server);
    assert_eq!(cells.len(), 8 * 512);
    ana.set_settings(Settings { fast_turns: 1, ..Settings::MEMBER });
    fast_round(&house, &mut ana);
    let class = Class::Fast;
    let round = server.last_round(class).unwrap();
    let moved = server.encode_contact(id).unwrap();
    at(&house, |moment| {
        let taken = std::mem::replace(&mut ana, Client::new(network(1), Settings::MEMBER, "", moment));
        let (mut heard, _) = taken.step(Input::Rows { class, round, rows: &cells }, moment);
        let message = heard.take_messages().pop().unwrap();
        assert_eq!(message.bytes.expose(), push.payload.expose());
    });

    // The chain moves on before the cell leaves, once; the row ends when the relay has the cell.
    assert!(house.idp.seal_push(&house.ctx(), &push, &moved).await.unwrap());
    assert!(!house.idp.seal_push(&house.ctx(), &push, &moved).await.unwrap());
    let again = house.idp.waiting_pushes(&house.ctx()).await.unwrap().pop().unwrap();
    assert_eq!(again.id, push.id);
    let mut late = at(&house, |moment| Client::new(network(1), Settings::server(PUSH_TURNS), "", moment));
    let id = late.add_contact(again.contact.expose()).unwrap();
    late.push(id, again.payload.expose(), again.expires_at_ms).unwrap();
    let same_round = fast_round(&house, &mut late);
    assert_eq!(late.last_round(class), Some(round));
    assert!(!ana_hears(&cells, &same_round), "no key of the round is left");
    house.idp.end_push(&house.ctx(), &push.id).await.unwrap();
    assert_eq!(rows(&house).await, 0);
}

/// Whether a cell of one round stands in another with the same tag.
fn ana_hears(cells: &[u8], others: &[u8]) -> bool {
    let tags = |cells: &[u8]| cells.chunks(512).map(|cell| cell[..16].to_vec()).collect::<Vec<_>>();
    let known = tags(cells);
    tags(others).iter().any(|tag| known.contains(tag))
}

/// Takes part in the running fast round; the cells.
fn fast_round(house: &House, client: &mut Client) -> Vec<u8> {
    let now_ms = house.now().as_millisecond().unsigned_abs();
    let step = |client: &mut Client, input: Input<'_>, now_ms: u64| {
        let mut moment = Moment { now_ms, entropy: &mut crypto::random::fill };
        let fresh = Client::new(*client.network(), Settings::MEMBER, "", &mut moment);
        let (next, effects) = std::mem::replace(client, fresh).step(input, &mut moment);
        *client = next;
        effects
    };
    step(client, Input::Welcome { now_ms, round_trip_ms: 0 }, now_ms);
    let effects = step(client, Input::Tick, now_ms + 590);
    let cell = |effect: &mailbox::client::Effect| match effect {
        mailbox::client::Effect::Turn(turn) if turn.class == Class::Fast => turn.cell.to_vec(),
        _ => Vec::new(),
    };
    effects.iter().flat_map(cell).collect()
}

#[tokio::test]
async fn a_flood_of_sign_ins_for_one_person_leaves_one_row_and_five_pushes() {
    let house = pushing().await;
    let mut ana = member(&house, 1);
    let (shop, wallet) = (house.shop().await, enrolled(&house, &mut ana).await);
    let mut pushed = std::collections::BTreeSet::new();
    for _ in 0..20 {
        asked(&house, &shop, &wallet.handle).await;
        let waiting = house.idp.waiting_pushes(&house.ctx()).await.unwrap();
        assert_eq!(waiting.len(), 1);
        pushed.insert(waiting[0].id.clone());
    }
    assert_eq!(pushed.len(), 5);
    assert_eq!(house.count("handle-paused").await, 1);
}

#[tokio::test]
async fn an_expired_push_and_one_for_nobody_end_unsent() {
    let house = pushing().await;
    let mut ana = member(&house, 1);
    let (shop, wallet) = (house.shop().await, enrolled(&house, &mut ana).await);
    asked(&house, &shop, "0000-0000").await;
    assert_eq!(
        rows(&house).await,
        1,
        "the time of an answer does not tell a known handle from an unknown one"
    );
    assert!(house.idp.waiting_pushes(&house.ctx()).await.unwrap().is_empty());
    assert_eq!(rows(&house).await, 0);
    asked(&house, &shop, &wallet.handle).await;
    house.advance(90);
    assert!(house.idp.waiting_pushes(&house.ctx()).await.unwrap().is_empty());
    assert_eq!(rows(&house).await, 0);
}

#[tokio::test]
async fn pushes_are_turned_on_and_off_by_the_device_and_end_with_it() {
    let house = pushing().await;
    let (shop, wallet) = (house.shop().await, house.wallet().await);
    house.events().await;
    asked(&house, &shop, &wallet.handle).await;
    assert!(house.idp.waiting_pushes(&house.ctx()).await.unwrap().is_empty(), "nothing was offered");
    let path = "/t/default/seal/enrolment/relay";
    let mut ana = member(&house, 1);
    let offer = |member: &Client| {
        let offer = at(&house, |moment| member.offer(RELAY, moment)).unwrap();
        let body = json!({ "relay": base64::url_encode(offer.invite().encode().expose()) });
        (offer, body)
    };
    let foreign = wallet.call(&house, "PUT", path, Some(&offer(&member(&house, 2)).1)).await;
    assert_eq!((foreign.status.as_u16(), foreign.pointers()), (422, vec!["/relay".to_owned()]));
    let (offered, body) = offer(&ana);
    let reply = wallet.ask(&house, "PUT", path, Some(&body)).await.unwrap();
    let hello = base64::url_decode(reply["relay"].as_str().unwrap()).unwrap();
    at(&house, |moment| ana.enrol_by(&offered, &hello, "idp", moment)).unwrap();
    asked(&house, &shop, &wallet.handle).await;
    assert_eq!(house.idp.waiting_pushes(&house.ctx()).await.unwrap().len(), 1);
    assert_eq!(wallet.call(&house, "DELETE", path, None).await.status, 204);
    assert_eq!(rows(&house).await, 0);
    asked(&house, &shop, &wallet.handle).await;
    assert!(house.idp.waiting_pushes(&house.ctx()).await.unwrap().is_empty());
    assert_eq!(house.events().await, ["request-refused", "enrolment-push-set", "enrolment-push-set"]);

    wallet.ask(&house, "PUT", path, Some(&offer(&ana).1)).await.unwrap();
    assert_eq!(wallet.call(&house, "DELETE", "/t/default/seal/enrolment", None).await.status, 204);
    let stmt = store::Stmt::new(
        "SELECT count(*) FROM idp_enrolment WHERE tenant_id = :tenant AND relay IS NOT NULL",
    );
    let kept = house.store.read(&house.ctx()).one(stmt).await.unwrap().unwrap();
    assert_eq!(kept.int(0).unwrap(), 0, "a contact ends with its device");
}

#[tokio::test]
async fn a_house_that_pushes_over_no_relay_takes_no_offer_and_writes_no_row() {
    let house = House::new().await;
    let metadata = house.raw("GET", "/t/default/seal/metadata", &[], None).await.json();
    assert!(metadata.get("relay").is_none());
    let mut wallet = Wallet::new(&house).await;
    let begun = wallet.begin(&house, None).await;
    let mut body = wallet.enrol_body(&challenge_of(&begun), None);
    let offer = at(&house, |moment| member(&house, 1).offer(RELAY, moment)).unwrap();
    body["relay"] = base64::url_encode(offer.invite().encode().expose()).into();
    let reply = wallet.complete_with(&house, &body).await;
    assert!(reply.get("relay").is_none(), "it is enrolled, and asks its inbox");
    asked(&house, &house.shop().await, &wallet.handle).await;
    assert_eq!(rows(&house).await, 0);
}

#[tokio::test]
async fn while_nobody_carries_the_pushes_the_inbox_has_the_sign_in_and_the_row_is_sealed() {
    let house = pushing().await;
    let mut ana = member(&house, 1);
    let (shop, wallet) = (house.shop().await, enrolled(&house, &mut ana).await);
    let opened = asked(&house, &shop, &wallet.handle).await;
    let waits = wallet.call(&house, "GET", "/t/default/seal/inbox?wait=0", None).await.json();
    assert_eq!(waits["sessions"][0]["sid"], opened.sid.to_string());
    let read = async |sql: &'static str| {
        let row = house.store.read(&house.ctx()).one(store::Stmt::new(sql)).await.unwrap().unwrap();
        row.blob(0).unwrap()
    };
    let payload = read("SELECT payload FROM idp_outbox WHERE tenant_id = :tenant").await;
    let contact =
        read("SELECT relay FROM idp_enrolment WHERE tenant_id = :tenant AND relay IS NOT NULL").await;
    let holds = |bytes: &[u8], needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let sid = opened.sid.to_string();
    for needle in [b"localhost" as &[u8], opened.sid.as_bytes(), sid.as_bytes(), b"issuer"] {
        assert!(!holds(&payload, needle));
    }
    // The network's id stands before each contact, under the cipher.
    assert!(!holds(&contact, &[1; 32]));
    wallet.sign_in(&house, &opened, None).await;
    assert_eq!(rows(&house).await, 1, "a hint that is late harms nobody");
    house.advance(90);
    house.idp.tidy(&house.ctx(), "default").await.unwrap();
    assert_eq!(rows(&house).await, 0);
}
