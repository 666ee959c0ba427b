//! What each code means: the text of `docs/problems/wallet/`, which a test compares with this table.
//!
//! The error line names the page in the project's own documents, never one of the peer: who is refused must not explain why.

/// A code that the verbs of this room end with, and its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Stable code, `wallet/…`.
    pub code: &'static str,
    /// Exit code of the verb.
    pub exit: u8,
    /// One sentence.
    pub title: &'static str,
    /// What it means, and how it can come about.
    pub cause: &'static str,
    /// What to do.
    pub fix: &'static str,
}

macro_rules! pages {
    ($($name:ident = $exit:literal $code:literal: $title:literal, cause $cause:literal, fix $fix:literal;)*) => {
        $(pub(crate) static $name: Page = Page { code: $code, exit: $exit, title: $title, cause: $cause, fix: $fix };)*
        /// Every code of this room.
        pub static PAGES: &[&Page] = &[$(&$name),*];
    };
}

pages! {
    USAGE = 2 "wallet/usage": "The command, or a file that it names, cannot be used",
        cause "A link is no offer or request, a file is missing or too long, the passphrase is missing, or a question needs an \
               answer and nobody can be asked.",
        fix "Mend what the message names. In scripts give --passphrase-file, and --yes to answer questions.";
    NO_WALLET = 2 "wallet/no-wallet": "There is no wallet in this place",
        cause "The folder has no wallet file: none was made yet, or the wallet lives elsewhere.",
        fix "Make one with `tessera wallet init`, or name its folder with --home.";
    WALLET_EXISTS = 2 "wallet/wallet-exists": "There is a wallet in this place already",
        cause "A wallet is never overwritten: its keys exist nowhere else.",
        fix "Use it, or give another folder with --home.";
    NOT_HELD = 2 "wallet/not-held": "No one credential or trust anchor has this id",
        cause "The id was mistyped, is not in this wallet, or is the beginning of several.",
        fix "See `tessera wallet list` or `tessera wallet trust list`, and give more of the id.";
    LOCKED = 1 "wallet/locked": "The passphrase does not open this wallet",
        cause "The passphrase is wrong. There is no other way in: nobody keeps a second key.",
        fix "Try again. If it is lost, make a new wallet in another folder and have the credentials issued anew.";
    DAMAGED = 1 "wallet/damaged": "A record of the wallet was changed",
        cause "A record does not open under its own key, kind and id: the file was damaged, or somebody edited it.",
        fix "Restore the file from a copy, or delete the credential that the message names and have it issued anew.";
    STORAGE = 5 "wallet/storage": "The wallet's file cannot be read or written",
        cause "The disk is full, the folder is not writable, or another program holds the file.",
        fix "Mend what the message names, and try again: what was stored is stored whole.";
    FULL = 2 "wallet/full": "The wallet is full",
        cause "It holds as many credentials, or trusts as many anchors, as it can.",
        fix "Delete what you need no longer.";
    UNREACHABLE = 4 "wallet/unreachable": "The peer cannot be reached",
        cause "No connection, no valid certificate, or no answer in time. After an answer was sent, `tessera wallet history` \
               shows it as `sent`: whether it arrived is not known.",
        fix "Check host, port and certificate (--ca adds your own authority), and try again.";
    PEER_REFUSED = 3 "wallet/peer-refused": "The peer refused",
        cause "The issuer or verifier answered with a refusal: the offer or request is spent, expired or unknown, or the \
               presentation was not accepted; a wallet is not told why. A redirect or an overlong answer is taken for a \
               refusal too, as a wallet follows no redirect.",
        fix "Ask the issuer or verifier for a new link. The verifier's operator sees the reason in its report.";
    OFFER_REJECTED = 1 "wallet/offer-rejected": "The offer or the issuer's metadata fails a check",
        cause "Identifiers differ, an address is not https (plain http is for this very machine alone), nothing offered can be \
               held by this wallet, or a message is malformed. Nothing was redeemed.",
        fix "Ask the issuer. There is no way around a failed check.";
    ISSUER_UNTRUSTED = 1 "wallet/issuer-untrusted": "Nobody whom this wallet trusts vouches for the issuer",
        cause "The certificates of the credential do not lead to one of this wallet's trust anchors, or are out of their dates. \
               Nothing was stored.",
        fix "If you know the issuer, get its anchors by a way that you trust, add them with `tessera wallet trust add FILE`, and \
             ask for a new offer.";
    CREDENTIAL_REJECTED = 1 "wallet/credential-rejected": "The credential fails a check",
        cause "Its signature does not hold, it is bound to another key, of another type than was offered, out of its dates, or \
               has no status. Nothing was stored.",
        fix "Ask the issuer. There is no way around a failed check.";
    VERIFIER_UNTRUSTED = 1 "wallet/verifier-untrusted": "Nobody whom this wallet trusts vouches for who asks",
        cause "The certificates of the request do not lead to one of this wallet's trust anchors, or are out of their dates. \
               The request was not answered, and nothing was shown.",
        fix "If you know the verifier, get its anchors by a way that you trust, and add them with `tessera wallet trust add FILE`.";
    REQUEST_REJECTED = 1 "wallet/request-rejected": "The request fails a check",
        cause "It is not signed, signed by another certificate than its client identifier names, out of its time, of another \
               client than the link, or asks in a way that this wallet does not serve. It was not answered, and nothing was shown.",
        fix "Ask for a new link. There is no way around a failed check.";
    NOTHING_SHOWN = 1 "wallet/nothing-shown": "Nothing was shown",
        cause "You said no, nothing in the wallet fits the request, or it needs more than --disclose allows. The verifier was \
               told `access_denied` in each case, so it does not learn which.",
        fix "See `tessera wallet list`, or allow what is needed.";
    DECLINED = 1 "wallet/declined": "The offer was not accepted",
        cause "You said no. Nothing was redeemed, and the offer stays good until it ends.",
        fix "Run the command again to accept it.";
    SIGNIN_REJECTED = 1 "wallet/signin-rejected": "The sign-in or the identity provider fails a check",
        cause "The link is of a provider that this wallet did not pin, an answer is not signed by its reply key, the service's seal \
               is foreign, forged or expired, or more is asked for than the seal allows. Nothing was approved.",
        fix "Begin the sign-in again at the service itself. If it fails again, ask the service. There is no way around a failed check.";
    KEYS_BROKEN = 1 "wallet/keys-broken": "The identity provider's keys changed in a way that this wallet does not believe",
        cause "It signs with other keys than this wallet pinned, and no chain of signed sets leads from those to these: a link is \
               missing or forged, older keys came back, or the operator replaced a key at once because the former may be in other \
               hands. Nothing was approved, and what was pinned stays.",
        fix "Try again after a minute, as a new set may be on its way. If it fails again, ask the operator by a way that you trust. If \
             the keys were replaced, remove this enrolment there and enrol anew with `tessera wallet enrol`.";
    SIGNIN_DENIED = 1 "wallet/signin-denied": "The sign-in was refused",
        cause "You said no, or the code typed three times is not the one of this sign-in, which means that the page may be a fake.",
        fix "Begin again at an address that you know, and read the code from that page.";
    SIGNIN_FAILED = 1 "wallet/signin-failed": "The identity provider did not accept the sign-in",
        cause "It ended, it was answered already, a document is missing, expired or of somebody else, or the service asks for more \
               than a code can prove.",
        fix "Begin again. If the message names the document, enrol anew with a valid one.";
    NOT_A_MEMBER = 2 "wallet/not-a-member": "This wallet is no member of that relay network",
        cause "It has joined none, is a member of another one, or the network takes members by link alone.",
        fix "Ask the network's operator for a member link and give it to `tessera wallet join`. For a second network make a second \
             wallet with --home.";
    ONLINE_ELSEWHERE = 2 "wallet/online-elsewhere": "Another process of this wallet is online",
        cause "`tessera wallet daemon`, `receive` or `send --wait` runs with this wallet. Two at once would use the same keys.",
        fix "Stop the other one, or let it do the work: `tessera wallet send` without --wait leaves the message for it.";
    NO_CONTACT = 2 "wallet/no-contact": "No one contact here can be meant, or none that is open",
        cause "The id or name was mistyped or fits several, enrolment still goes on, or the contact is blocked or gone.",
        fix "See `tessera wallet contacts list`. A pending contact needs both sides online for some rounds; one that is gone needs a \
             new invite.";
    CODES_DIFFER = 1 "wallet/codes-differ": "The codes differ",
        cause "Both of you should see the same nine digits. If they differ, somebody else took the invite or stands between you.",
        fix "Read the code again. If it still differs, remove the contact, and hand over a new invite by a way that you both trust.";
    INVITE_REJECTED = 1 "wallet/invite-rejected": "The invite cannot be accepted",
        cause "It is for another network, expired, your own, accepted here before, or its key is none.",
        fix "Ask for a new invite.";
    RELAY_REJECTED = 1 "wallet/relay-rejected": "What the relay says fails a check",
        cause "A statement is not signed by all relays of the network, is of another network, or does not fit what it describes. \
               Nothing of it was believed, and no message was sent.",
        fix "Ask the network's operator. There is no way around a failed check.";
    FAULT = 5 "wallet/fault": "The wallet could not do its own part",
        cause "Signing or encrypting failed. That is a fault of this program.",
        fix "Report it with the message; it holds no secret.";
}

/// The page of a code; every code of this room has one.
#[must_use]
pub fn page(code: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.code == code).copied()
}

impl Page {
    /// The page as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let Self { code, exit, title, cause, fix } = self;
        format!("# {title}\n\n`{code}` · exit code {exit}\n\n**Cause.** {cause}\n\n**Fix.** {fix}\n")
    }
}
