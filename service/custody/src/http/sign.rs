//! `POST /api/v1/keys/{id}/sign`: one thing or a batch.

use axum::extract::State as Room;
use crypto::base64;
use edge::door::BODY_BYTES_MAX;
use edge::idempotency::Mark;
use edge::limit::Class;
use edge::problem::pages as common;
use edge::{Answer, Call, Door, Doors, Path, Permission, Problem, Raw, Who, strict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::pages;
use crate::Custody;
use crate::batch::{Batch, Item, Orders};
use crate::order::{self, Form, ITEMS_MAX, Order, OrderRefusal, Output};

pub(super) fn doors() -> Doors<Custody> {
    Doors::new().door(
        Door::post("/api/v1/keys/{id}/sign")
            .operation("signWithKey")
            .summary("Signs a JWS or COSE_Sign1, or a batch of them, with a key of the API")
            .who(Who::Role(Permission::KeysSign))
            .rate(Class::Own)
            .body::<SignForm>(BODY_BYTES_MAX)
            .answer::<SignAnswer>(200, "What was signed; its event is durable")
            .problems(&[
                &pages::NOT_FOUND,
                &pages::USE_REFUSED,
                &pages::STATE,
                &pages::PAYLOAD_TOO_LARGE,
                &pages::ALG_MISMATCH,
                &pages::HEADER_REFUSED,
                &pages::RAW_DIGEST_REFUSED,
                &pages::QUOTA,
                &pages::KEEPER_UNAVAILABLE,
            ])
            .idempotent(),
        sign,
    )
}

/// One thing to sign, or `items`.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "SignRequest")]
#[allow(
    dead_code,
    reason = "for the OpenAPI document: the door reads the text itself, to sign objects as they were written"
)]
enum SignForm {
    /// One.
    One(Box<Form>),
    /// Up to 256, signed with one algorithm and told by one event.
    Batch(BatchForm),
}

/// A batch.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SignBatch")]
struct BatchForm {
    /// The things to sign.
    #[schemars(length(min = 1, max = 256))]
    items: Vec<Value>,
}

/// What was signed.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum SignAnswer {
    /// Of one.
    One(Box<SignedView>),
    /// Of a batch, in its order.
    Batch {
        /// A result or a problem for each.
        items: Vec<ItemView>,
    },
}

/// A result, or why there is none.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum ItemView {
    /// Signed.
    Signed(Box<SignedView>),
    /// Refused; the others are not touched by it.
    Refused {
        /// The problem.
        problem: ItemProblem,
    },
}

/// Why an item of a batch was refused.
#[derive(Debug, Serialize, JsonSchema)]
struct ItemProblem {
    /// The stable code, with a page under `/problems/`.
    code: String,
    /// What it means.
    title: String,
    /// What happened in this case.
    detail: String,
    /// The status it would have alone.
    status: u16,
}

/// One signed object.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Signed")]
struct SignedView {
    /// The compact JWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    jws: Option<String>,
    /// The COSE_Sign1, base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    cose_b64: Option<String>,
    /// `kid` of the version that signed.
    kid: String,
    /// The version that signed.
    version: u32,
    /// The algorithm.
    alg: String,
    /// Number of the use; null but for keys of an enclave.
    use_seq: Option<u64>,
    /// Receipt; null but for keys of an enclave.
    receipt: Option<String>,
}

/// `POST /api/v1/keys/{id}/sign`.
async fn sign(
    Room(custody): Room<Custody>,
    call: Call,
    Path(id): Path<String>,
    raw: Raw,
) -> Result<Answer<SignAnswer>, Problem> {
    let orders = read(&raw.bytes)?;
    let is_batch = orders.is_batch;
    let mark = call.mark.as_ref().map(Mark::close);
    let batch = custody.sign_orders(&call.ctx, &id, orders, mark).await?;
    let committed = batch.committed;
    Ok(Answer::ok(answer(batch, is_batch)).event(&committed))
}

/// Text of the payloads as they were written: values would lose how numbers and escapes stood.
#[derive(Deserialize)]
struct Texts<'a> {
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
    #[serde(borrow, default)]
    items: Option<Vec<ItemText<'a>>>,
}

#[derive(Deserialize)]
struct ItemText<'a> {
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

/// Reads one or a batch. What is wrong with the batch as a whole is refused here, what is wrong with an item stands beside the others.
fn read(bytes: &[u8]) -> Result<Orders, Problem> {
    let value: Value = strict::read(bytes, BODY_BYTES_MAX)?;
    if value.get("items").is_none() {
        let text = texts(bytes).payload.map(|raw| order::compact(raw.get()));
        return Ok(Orders { items: vec![accept(value, text)?], is_batch: false });
    }
    let BatchForm { items } = strict::shape(value)?;
    if !(1..=ITEMS_MAX).contains(&items.len()) {
        return Err(Problem::of(&common::INVALID).at("/items", "has 1 to 256 items"));
    }
    let mut texts = texts(bytes).items.unwrap_or_default().into_iter();
    let accept_item = |(index, item): (usize, Value)| {
        let text = texts.next().and_then(|item| item.payload).map(|raw| order::compact(raw.get()));
        accept(item, text).map_err(|problem| inside(problem, index))
    };
    let items = items.into_iter().enumerate().map(accept_item).collect::<Result<_, _>>()?;
    Ok(Orders { items, is_batch: true })
}

/// A form that cannot be read is a problem of the whole request; one that is refused is the item's own.
fn accept(item: Value, text: Option<Vec<u8>>) -> Result<Result<Order, OrderRefusal>, Problem> {
    if order::asks_for_digest(&item) {
        return Ok(Err(OrderRefusal::RawDigest));
    }
    Ok(Order::accept(strict::shape(item)?, text))
}

/// The texts of a body that was read strictly before; bodies of other shapes have none.
fn texts(bytes: &[u8]) -> Texts<'_> {
    serde_json::from_slice(bytes).unwrap_or(Texts { payload: None, items: None })
}

fn inside(mut problem: Problem, index: usize) -> Problem {
    for error in &mut problem.errors {
        error.pointer = format!("/items/{index}{}", error.pointer);
    }
    problem
}

fn answer(batch: Batch, is_batch: bool) -> SignAnswer {
    let Batch { kid, version, items, .. } = batch;
    let signed = |item: Item| {
        let (jws, cose_b64) = match item.output {
            Output::Jws(text) => (Some(text), None),
            Output::Cose(bytes) => (None, Some(base64::url_encode(&bytes))),
        };
        let alg = item.alg.to_owned();
        Box::new(SignedView { jws, cose_b64, kid: kid.clone(), version, alg, use_seq: None, receipt: None })
    };
    let view = |item: Result<Item, OrderRefusal>| match item {
        Ok(item) => ItemView::Signed(signed(item)),
        Err(refusal) => ItemView::Refused { problem: ItemProblem::of(&refusal) },
    };
    let mut views: Vec<ItemView> = items.into_iter().map(view).collect();
    match views.pop() {
        Some(ItemView::Signed(one)) if !is_batch && views.is_empty() => SignAnswer::One(one),
        last => {
            views.extend(last);
            SignAnswer::Batch { items: views }
        }
    }
}

impl ItemProblem {
    fn of(refusal: &OrderRefusal) -> Self {
        let problem = Problem::from(refusal);
        Self {
            code: problem.page.code.to_owned(),
            title: problem.page.title.to_owned(),
            detail: refusal.to_string(),
            status: problem.page.status,
        }
    }
}
