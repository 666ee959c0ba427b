//! Makes the keys and certificates of `fixed/` anew: `cargo run --example fixed`. Seeds must be written anew after it.

use std::fs;

use crypto::key::{KeyAlg, PrivateKey};
use crypto::x509::build::{LeafNames, Profile, TbsDraft, assemble};
use crypto::x509::{Name, NameParts};
use jiff::SignedDuration;
use tessera_fuzz::fixed::{ISSUER, now};

fn main() {
    let [authority, stranger, leaf, holder, wrong] =
        std::array::from_fn(|_| PrivateKey::generate(KeyAlg::P256));
    let root = Profile::Ca { path_len: Some(0) };
    let signer = Profile::Leaf(LeafNames { san_uris: vec![ISSUER.to_owned()], ..LeafNames::default() });
    write("authority.der", &certificate("Root", &authority, &authority, root.clone(), 1));
    write("stranger.der", &certificate("Root", &stranger, &stranger, root, 2));
    write("leaf.der", &certificate("Leaf", &leaf, &authority, signer, 3));
    for (name, key) in [("leaf.p8", &leaf), ("holder.p8", &holder), ("wrong.p8", &wrong)] {
        write(name, key.to_secret().expose());
    }
}

fn certificate(subject: &str, key: &PrivateKey, by: &PrivateKey, profile: Profile, serial: u8) -> Vec<u8> {
    let name = |common: &str| {
        Name::new(&NameParts { common_name: common.to_owned(), ..NameParts::default() })
            .expect("a short name")
    };
    let draft = TbsDraft {
        subject: name(subject),
        issuer: name("Root"),
        issuer_key: by.public(),
        serial: [serial; 16],
        not_before: now() - SignedDuration::from_hours(24),
        not_after: now() + SignedDuration::from_hours(24 * 365),
        public_key: key.public(),
        profile,
    };
    let alg = by.alg().default_sign_alg();
    let signed = draft.to_be_signed(alg).expect("dates and names fit");
    assemble(&signed, alg, &by.sign(alg, &signed).expect("a key signs with its own algorithm"))
        .expect("P-256 signs certificates")
}

fn write(name: &str, bytes: &[u8]) {
    let path = format!("{}/fixed/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::write(path, bytes).expect("the folder can be written");
}
