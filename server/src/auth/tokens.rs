//! Tokens: JWT (RFC 7519) that somebody else signs and that the server proves with a key of its own.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow, bail, ensure};
use dactyl_config::{JwtAlgorithm, Kind};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, Validation, decode, decode_header,
};
use serde::Deserialize;

use super::credential::Credential;
use super::{Allowance, Grant, UNKNOWN};
use crate::places::Client;

/// Most that the clocks of whoever signs and of this server may differ.
const LEEWAY: Duration = Duration::from_secs(10);
/// Tokens are taken until this whole second is over.
const SECOND: Duration = Duration::from_secs(1);
/// Least length of a secret of HS256 (RFC 7518, section 3.2), and of the modulus of an RSA key (section 3.3).
const LEAST_SECRET: usize = 32;
const LEAST_MODULUS: usize = 256;
/// Length of a point of the curve P-256.
const POINT: usize = 65;

/// What proves tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    /// Each with the name that a token calls it by, if it has one.
    keys: Vec<(Option<String>, DecodingKey)>,
    validation: Validation,
    /// The file, by which one that was read anew is compared.
    source: Vec<u8>,
}

#[derive(Deserialize)]
struct Claims {
    /// Seconds since 1970, with a fraction or without.
    exp: f64,
    sub: Option<String>,
    dactyl: Option<Allowance>,
}

impl PartialEq for Tokens {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.validation == other.validation
    }
}

impl Tokens {
    /// Reads the file that the configuration names.
    pub(super) fn load(auth: &dactyl_config::Auth) -> Result<Self> {
        let path = dactyl_config::find(&auth.jwt_key_file, Kind::File)?;
        let source = fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?;
        let algorithm = match auth.jwt_algorithm {
            JwtAlgorithm::Hs256 => Algorithm::HS256,
            JwtAlgorithm::Rs256 => Algorithm::RS256,
            JwtAlgorithm::Es256 => Algorithm::ES256,
        };
        Self::parse(source, algorithm, &path, &auth.jwt_audience, &auth.jwt_issuer)
    }

    /// Takes the content of a file; an empty audience or issuer is none that a token must name.
    pub(super) fn parse(
        source: Vec<u8>,
        algorithm: Algorithm,
        path: &Path,
        audience: &str,
        issuer: &str,
    ) -> Result<Self> {
        let keys = keys(&source, algorithm, path)?;
        Ok(Self { keys, validation: validation(algorithm, audience, issuer), source })
    }

    pub(super) fn check(&self, shown: &Credential) -> Result<Grant, &'static str> {
        let token = shown.as_str();
        let header = decode_header(token).map_err(|_| UNKNOWN)?;
        let key = match self.keys.as_slice() {
            [(_, only)] => only,
            several => {
                let named = several.iter().find(|(name, _)| name.is_some() && *name == header.kid);
                &named.ok_or("the token names none of the keys of auth.jwt_key_file (kid)")?.1
            }
        };
        let decoded = decode::<Claims>(token, key, &self.validation).map_err(|error| told(error.kind()))?;
        let Claims { exp, sub, dactyl } = decoded.claims;
        let exp = Duration::try_from_secs_f64(exp).map_err(|_| "the token's claim exp is no time")?;
        Ok(Grant {
            holder: sub.map(Client::Subject),
            allowance: dactyl.unwrap_or_default(),
            // One that ends later than any clock can tell never ends.
            ends: SystemTime::UNIX_EPOCH.checked_add(exp).and_then(|end| end.checked_add(LEEWAY + SECOND)),
        })
    }
}

/// What must hold of a token. Its own header says nothing about how it is proved.
fn validation(algorithm: Algorithm, audience: &str, issuer: &str) -> Validation {
    let mut validation = Validation::new(algorithm);
    let mut required = vec!["exp"];
    validation.leeway = LEEWAY.as_secs();
    validation.validate_nbf = true;
    validation.validate_aud = !audience.is_empty();
    if !audience.is_empty() {
        validation.set_audience(&[audience]);
        required.push("aud");
    }
    if !issuer.is_empty() {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    validation.set_required_spec_claims(&required);
    validation
}

/// Why a token is not taken, for who shows it.
fn told(error: &ErrorKind) -> &'static str {
    match error {
        ErrorKind::ExpiredSignature => "the token is not valid any more (exp); get a new one",
        ErrorKind::ImmatureSignature => "the token is not valid yet (nbf); are both clocks right?",
        ErrorKind::InvalidAudience => "the token is for another audience (aud) than auth.jwt_audience",
        ErrorKind::InvalidIssuer => "the token is by another issuer (iss) than auth.jwt_issuer",
        ErrorKind::InvalidAlgorithm => {
            "the token is signed with another algorithm (alg) than auth.jwt_algorithm"
        }
        ErrorKind::MissingRequiredClaim(_) => {
            "the token lacks a claim: exp, aud with auth.jwt_audience, or iss with auth.jwt_issuer"
        }
        ErrorKind::Json(_) | ErrorKind::InvalidClaimFormat(_) => {
            "a claim of the token is not of the right form: exp and nbf are numbers, sub is a text, dactyl may hold \
             pipelines, max_fps and max_sessions"
        }
        _ => UNKNOWN,
    }
}

/// The keys of a file: of a set of keys those that are of the algorithm.
fn keys(source: &[u8], algorithm: Algorithm, path: &Path) -> Result<Vec<(Option<String>, DecodingKey)>> {
    let path = path.display();
    let keys: Vec<(Option<String>, DecodingKey)> = if source.trim_ascii_start().starts_with(b"{") {
        let set: JwkSet = serde_json::from_slice(source)
            .map_err(|error| anyhow!("{path} is no set of keys (JWKS): line {} of it", error.line()))?;
        let usable = set.keys.iter().filter(|key| is_of(key, algorithm));
        usable
            .filter_map(|key| Some((key.common.key_id.clone(), DecodingKey::from_jwk(key).ok()?)))
            .filter(|(_, key)| key.family() == algorithm.family())
            .collect()
    } else {
        vec![(None, single(source, algorithm).with_context(|| path.to_string())?)]
    };
    ensure!(!keys.is_empty(), "{path} holds no key of {algorithm:?} (auth.jwt_algorithm)");
    for (name, key) in &keys {
        let name = name.as_ref().map_or_else(String::new, |name| format!(", key {name:?}"));
        strength(key).with_context(|| format!("{path}{name}"))?;
    }
    let nameless = keys.iter().filter(|(name, _)| name.is_none()).count();
    ensure!(
        keys.len() == 1 || nameless == 0,
        "{path}: of several keys each needs a name (kid), which tokens call it by"
    );
    Ok(keys)
}

fn is_of(key: &Jwk, algorithm: Algorithm) -> bool {
    let wanted = match algorithm {
        Algorithm::HS256 => KeyAlgorithm::HS256,
        Algorithm::ES256 => KeyAlgorithm::ES256,
        _ => KeyAlgorithm::RS256,
    };
    key.common.key_algorithm.is_none_or(|own| own == wanted)
        && key.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature)
}

/// A key in PEM, or a secret.
fn single(source: &[u8], algorithm: Algorithm) -> Result<DecodingKey> {
    let is_pem = source.trim_ascii_start().starts_with(b"-----BEGIN");
    let of_another = "is it of another algorithm than auth.jwt_algorithm?";
    match algorithm.family() {
        AlgorithmFamily::Hmac if is_pem => bail!("a key in PEM is no secret of HS256; {of_another}"),
        // The end of the line that an editor adds is none of it.
        AlgorithmFamily::Hmac => DecodingKey::from_secret(source.trim_ascii()).context("it holds no secret"),
        AlgorithmFamily::Ec => DecodingKey::from_ec_pem(source).with_context(|| {
            format!("no public key of ECDSA in PEM and no set of keys (JWKS); {of_another}")
        }),
        _ => DecodingKey::from_rsa_pem(source)
            .with_context(|| format!("no public key of RSA in PEM and no set of keys (JWKS); {of_another}")),
    }
}

/// Refuses keys with which anybody could sign.
fn strength(key: &DecodingKey) -> Result<()> {
    let length = match key.kind() {
        DecodingKeyKind::SecretOrDer(bytes) => bytes.len(),
        DecodingKeyKind::RsaModulusExponent { n, .. } => n.len(),
    };
    match key.family() {
        AlgorithmFamily::Hmac => ensure!(
            length >= LEAST_SECRET,
            "a secret of {length} bytes can be guessed; make one of {LEAST_SECRET} or more: openssl rand -hex 32"
        ),
        AlgorithmFamily::Ec => ensure!(length == POINT, "a key of ES256 is one of the curve P-256"),
        _ => ensure!(length >= LEAST_MODULUS, "an RSA key has 2048 bits or more"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &[u8] = b"a secret of 32 bytes, no shorter";
    const RSA: &[u8] = include_bytes!("../../tests/jwt/rsa.pem");
    const RSA_PUBLIC: &[u8] = include_bytes!("../../tests/jwt/rsa_public.pem");
    const EC: &[u8] = include_bytes!("../../tests/jwt/ec.pem");
    const EC_PUBLIC: &[u8] = include_bytes!("../../tests/jwt/ec_public.pem");

    fn tokens(source: &[u8], algorithm: Algorithm) -> Result<Tokens> {
        Tokens::parse(source.to_vec(), algorithm, Path::new("jwt"), "dactyl", "school")
    }

    fn now() -> u64 {
        jsonwebtoken::get_current_timestamp()
    }

    fn signing_key(algorithm: Algorithm) -> EncodingKey {
        match algorithm.family() {
            AlgorithmFamily::Hmac => EncodingKey::from_secret(SECRET).unwrap(),
            AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(RSA).unwrap(),
            _ => EncodingKey::from_ec_pem(EC).unwrap(),
        }
    }

    fn sign(algorithm: Algorithm, claims: &Value) -> Credential {
        let token = encode(&Header::new(algorithm), claims, &signing_key(algorithm)).unwrap();
        Credential::from(token.as_str())
    }

    fn claims() -> Value {
        json!({"exp": now() + 60, "aud": "dactyl", "iss": "school", "sub": "ada"})
    }

    fn with(claim: &str, value: impl Into<Value>) -> Value {
        let mut claims = claims();
        claims[claim] = value.into();
        claims
    }

    const KINDS: [(&[u8], Algorithm); 3] =
        [(SECRET, Algorithm::HS256), (RSA_PUBLIC, Algorithm::RS256), (EC_PUBLIC, Algorithm::ES256)];

    #[test]
    fn a_token_of_each_algorithm_is_taken_and_says_what_it_allows() {
        for (source, algorithm) in KINDS {
            let allowed = json!({"pipelines": ["landmarks"], "max_fps": 15, "max_sessions": 2});
            let tokens = tokens(source, algorithm).unwrap();
            let grant = tokens.check(&sign(algorithm, &with("dactyl", allowed))).unwrap();
            assert_eq!(grant.client(None), Some(Client::Subject("ada".to_owned())), "{algorithm:?}");
            assert_eq!((grant.max_fps(0), grant.max_sessions(0)), (15, 2));
            assert!(grant.permits("landmarks") && !grant.permits("recognise"));
            let left = grant.ends.unwrap().duration_since(SystemTime::now()).unwrap().as_secs();
            assert!((66..=71).contains(&left), "{left}");
        }
    }

    #[test]
    fn a_token_is_refused_for_each_claim_that_does_not_hold() {
        let tokens = tokens(SECRET, Algorithm::HS256).unwrap();
        let without = |claim: &str| {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(claim);
            claims
        };
        for (claims, told) in [
            (with("exp", now() - 60), "(exp)"),
            (without("exp"), "exp"),
            (with("exp", "never"), "exp"),
            (with("exp", -1.0), "exp"),
            (with("nbf", now() + 60), "(nbf)"),
            (with("nbf", "tomorrow"), "nbf"),
            (with("aud", "other"), "(aud)"),
            (without("aud"), "aud"),
            (with("iss", "other"), "(iss)"),
            (without("iss"), "iss"),
            (with("sub", 7), "sub is a text"),
            (with("dactyl", json!({"max_fps": 0})), "max_fps"),
            (with("dactyl", json!({"pipeline": "landmarks"})), "pipelines"),
        ] {
            let error = tokens.check(&sign(Algorithm::HS256, &claims)).unwrap_err();
            assert!(error.contains(told), "{claims}: {error}");
        }
        for claims in
            [with("exp", now() - 5), with("nbf", now() + 5), with("aud", json!(["other", "dactyl"]))]
        {
            assert!(tokens.check(&sign(Algorithm::HS256, &claims)).is_ok(), "{claims}");
        }
        assert!(tokens.check(&sign(Algorithm::HS256, &without("sub"))).unwrap().client(None).is_none());
    }

    /// The known ways of lying about the algorithm: none at all, and the public key as the secret of HS256.
    #[test]
    fn the_algorithm_is_never_the_tokens_own_choice() {
        let part = |value: &Value| {
            base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, value.to_string())
        };
        let by_public_key = EncodingKey::from_secret(RSA_PUBLIC).unwrap();
        let confused = encode(&Header::new(Algorithm::HS256), &claims(), &by_public_key).unwrap();
        for (source, algorithm) in KINDS {
            let tokens = tokens(source, algorithm).unwrap();
            for alg in ["none", "None", ""] {
                let token = format!("{}.{}.", part(&json!({"alg": alg, "typ": "JWT"})), part(&claims()));
                assert!(tokens.check(&Credential::from(token.as_str())).is_err(), "{alg}");
            }
            assert!(tokens.check(&Credential::from(confused.as_str())).is_err(), "{algorithm:?}");
            for (_, other) in KINDS.iter().filter(|(_, other)| *other != algorithm) {
                let error = tokens.check(&sign(*other, &claims())).unwrap_err();
                assert!(error.contains("another algorithm"), "{algorithm:?}, {other:?}: {error}");
            }
            let mut signed = sign(algorithm, &claims()).as_str().to_owned();
            let last = signed.pop().unwrap();
            signed.insert(signed.len() - 3, last);
            assert_eq!(tokens.check(&Credential::from(signed.as_str())), Err(UNKNOWN), "{algorithm:?}");
        }
        for text in ["a.b.c", "..", "e30.e30.e30"] {
            assert!(
                tokens(SECRET, Algorithm::HS256).unwrap().check(&Credential::from(text)).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn of_a_set_of_keys_the_token_names_its_own() {
        let jwk = |name: &str, algorithm: Algorithm| {
            let mut jwk = Jwk::from_encoding_key(&signing_key(algorithm), algorithm).unwrap();
            jwk.common.key_id = Some(name.to_owned());
            jwk
        };
        let set = |keys: &[Jwk]| serde_json::to_vec(&json!({"keys": keys})).unwrap();
        let [rsa, ec] = [jwk("r", Algorithm::RS256), jwk("e", Algorithm::ES256)];
        let both = set(&[rsa.clone(), ec.clone()]);
        for algorithm in [Algorithm::RS256, Algorithm::ES256] {
            assert!(
                tokens(&both, algorithm).unwrap().check(&sign(algorithm, &claims())).is_ok(),
                "{algorithm:?}"
            );
        }
        let rotated = tokens(&set(&[rsa.clone(), jwk("new", Algorithm::RS256)]), Algorithm::RS256).unwrap();
        let named = |kid: Option<&str>| {
            let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::RS256) };
            let token = encode(&header, &claims(), &signing_key(Algorithm::RS256)).unwrap();
            rotated.check(&Credential::from(token.as_str())).map(drop)
        };
        assert_eq!((named(Some("r")), named(Some("new"))), (Ok(()), Ok(())));
        assert!(named(None).unwrap_err().contains("kid") && named(Some("x")).unwrap_err().contains("kid"));
        let error = format!("{:#}", tokens(&set(&[ec]), Algorithm::RS256).unwrap_err());
        assert!(error.contains("no key of RS256"), "{error}");
        let mut nameless = rsa.clone();
        nameless.common.key_id = None;
        let error = format!("{:#}", tokens(&set(&[rsa, nameless]), Algorithm::RS256).unwrap_err());
        assert!(error.contains("kid"), "{error}");
    }

    #[test]
    fn a_file_that_proves_nothing_is_refused_with_the_cure() {
        let small = include_bytes!("../../tests/jwt/rsa_small_public.pem");
        let p384 = include_bytes!("../../tests/jwt/p384_public.pem");
        for (source, algorithm, told) in [
            (&b"too short"[..], Algorithm::HS256, "openssl rand -hex 32"),
            (b"", Algorithm::HS256, "no secret"),
            (RSA_PUBLIC, Algorithm::HS256, "auth.jwt_algorithm"),
            (EC_PUBLIC, Algorithm::RS256, "auth.jwt_algorithm"),
            (RSA_PUBLIC, Algorithm::ES256, "auth.jwt_algorithm"),
            (small, Algorithm::RS256, "2048 bits"),
            (p384, Algorithm::ES256, "P-256"),
            (b"hello", Algorithm::RS256, "no public key of RSA in PEM"),
            (b"{\"keys\": 7}", Algorithm::HS256, "no set of keys (JWKS)"),
            (b"{\"keys\": []}", Algorithm::RS256, "no key of RS256"),
        ] {
            let error = format!("{:#}", tokens(source, algorithm).unwrap_err());
            assert!(error.contains(told) && error.contains("jwt"), "{algorithm:?}: {error}");
        }
    }
}
