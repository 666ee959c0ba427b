//! What we seal, another implementation of RFC 9180 opens: crate `hpke` 0.15, whose own tests run the vectors of the CFRG.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, setup_receiver};
use tessera_crypto::hpke::{HpkePrivateKey, Info, seal_exporting};
use tessera_crypto::secret::Secret;

#[test]
fn another_implementation_opens_what_we_seal_and_exports_the_same() {
    type Key = <X25519HkdfSha256 as Kem>::PrivateKey;
    type Enc = <X25519HkdfSha256 as Kem>::EncappedKey;
    for number in 0..32u8 {
        let secret = [number.wrapping_mul(37) ^ 0x51; 32];
        let public = HpkePrivateKey::from_secret(&Secret::new(secret)).public();
        let (info, aad, plain) =
            (vec![number; usize::from(number)], vec![1; usize::from(number) * 3], vec![2; 400]);
        let ephemeral = Secret::new([number + 1; 32]);
        let (sealed, exporter) =
            seal_exporting(&public, &Info::new(&info), &aad, &plain, &ephemeral).unwrap();
        let theirs = Key::from_bytes(&secret).unwrap();
        let enc = Enc::from_bytes(&sealed.enc).unwrap();
        let mut receiver =
            setup_receiver::<AesGcm256, HkdfSha256, X25519HkdfSha256>(&OpModeR::Base, &theirs, &enc, &info)
                .unwrap();
        assert_eq!(receiver.open(&sealed.ciphertext, &aad).unwrap(), plain);
        let mut exported = [0; 32];
        receiver.export(b"answer", &mut exported).unwrap();
        assert_eq!(&exported, exporter.export(b"answer").expose());
    }
}
