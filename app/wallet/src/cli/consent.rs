//! What the holder is shown before saying yes.

use super::{Terminal, Trouble};
use crate::engine::{Ask, Enough, OfferSummary, RequestSummary, ShownItem};
use crate::text::line;

/// Shows an offer and asks.
pub(super) fn agrees_to_offer(offer: &OfferSummary, terminal: &mut Terminal<'_>) -> Result<bool, Trouble> {
    terminal.tell(&offer_lines(offer));
    terminal.agrees("accept it?")
}

/// Shows a request and asks. What cannot be answered is declined after the same question, so that the time of the answer says
/// nothing about the wallet.
pub(super) fn agrees_to_request(
    request: &RequestSummary,
    terminal: &mut Terminal<'_>,
) -> Result<bool, Trouble> {
    terminal.tell(&request_lines(request));
    let can_be_shown = !request.items.is_empty() && request.beyond_choice.is_none();
    terminal.agrees(if can_be_shown { "show it?" } else { "answer that nothing is shown?" })
}

fn offer_lines(offer: &OfferSummary) -> String {
    let mut told = String::new();
    let mut say = |name: &str, value: &str| told.push_str(&format!("{name:<10} {}\n", line(value)));
    say("offer", offer.name.as_deref().unwrap_or(&offer.configuration_id));
    say("type", &offer.vct);
    say("issuer", &offer.issuer);
    if let Some(name) = &offer.issuer_name {
        say("", &format!("calls itself {name}"));
    }
    say(
        "trust",
        "checked when the credential comes: nothing is stored unless one of your anchors vouches for it",
    );
    say("key", "a fresh software key, kept in this wallet's file");
    if offer.claims.is_empty() {
        say("claims", "the issuer does not say which");
    }
    for claim in &offer.claims {
        let name = claim.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        say("claim", &format!("{}{name}", claim.path));
    }
    if let Some(description) = offer.tx_code.as_ref().and_then(|code| code.description.as_deref()) {
        say("code", &format!("the issuer says: {description}"));
    }
    told
}

fn request_lines(request: &RequestSummary) -> String {
    let mut told = String::new();
    let mut say = |name: &str, value: &str| told.push_str(&format!("{name:<10} {}\n", line(value)));
    let signer = request.verifier.first();
    say("who asks", signer.map_or("", |signer| &signer.subject));
    say(
        "verified",
        &format!("signed request, certificate under {}", request.anchor.as_deref().unwrap_or("your anchor")),
    );
    say("client id", &request.client_id);
    let sealed = if request.is_encrypted { "encrypted to them" } else { "in the clear inside TLS" };
    say("answer to", &format!("{}, {sealed}", request.answer_to));
    for ask in &request.asks {
        say("asks for", &ask_line(ask));
    }
    for enough in &request.enough {
        say("enough", &enough_line(enough));
    }
    if request.items.is_empty() {
        say("shows", "nothing: no credential in this wallet fits");
    }
    if request.left_out > 0 {
        say(
            "left out",
            &format!("{} more, asked for without insisting (--optional shows it)", request.left_out),
        );
    }
    for item in &request.items {
        told.push_str(&item_lines(item));
    }
    if let Some(path) = &request.beyond_choice {
        told.push_str(&format!("declined   --disclose does not allow {}\n", line(path)));
    }
    told
}

/// `d: a diploma, with degree.type, given_name`.
fn ask_line(ask: &Ask) -> String {
    let types = if ask.types.is_empty() { "any type".to_owned() } else { ask.types.join(" or ") };
    let claims = match (ask.claims.is_empty(), ask.combinations) {
        (true, _) => "nothing that could be kept back".to_owned(),
        (false, 0) => ask.claims.join(", "),
        (false, ways) => format!("{}, in one of {ways} combinations", ask.claims.join(", ")),
    };
    format!("{}: {types}, with {claims}", ask.query)
}

/// `d and e, or f (optional)`.
fn enough_line(enough: &Enough) -> String {
    let options: Vec<String> = enough.options.iter().map(|option| option.join(" and ")).collect();
    let insists = if enough.required { "" } else { " (optional)" };
    format!("{}{insists}", options.join(", or "))
}

fn item_lines(item: &ShownItem) -> String {
    let mut told = String::new();
    let mut say = |name: &str, value: &str| told.push_str(&format!("{name:<10} {}\n", line(value)));
    say("shows", &format!("{} {}", item.credential, item.name.as_deref().unwrap_or(&item.vct)));
    say("issued by", &item.issuer);
    for claim in &item.claims {
        say("claim", &format!("{} = {}", claim.path(), claim.text()));
    }
    say(
        "with it",
        "its type, dates, status index and the public part of its software key, the same at each showing",
    );
    if item.shown_before {
        say("note", "this copy was shown to them before: they can tell that it is you again");
    }
    told
}
