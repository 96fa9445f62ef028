//! Passwords being guessed: one account, many accounts, from many places, and whether it worked.
//!
//! RFC 4954 §9 wants failed attempts to be limited; MITRE ATT&CK T1110 names the ways around that. A refusal of the credentials is
//! meant here, not one of the mechanism or of a session without TLS.
//!
//! | finding | what was seen | what speaks against it |
//! |---|---|---|
//! | `auth_brute_force` | many refusals of one account from one source in a short time | a program with an old password: it succeeded before |
//! | `password_spraying` | few tries each on many accounts from one source; or one secret for several accounts | a gateway of many users: most of its logins succeed |
//! | `auth_distributed` | one account refused from many sources | |
//! | `auth_success_after_failures` | the same source then got in | it had got in before the failures |
//! | `account_takeover` | and then sent bulk mail | |
//!
//! That the same secret is used again is known with `--secret-digests` only.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use smol_str::{SmolStr, StrExt};

use super::credentials::account;
use super::windows::{windows, within};
use super::{Events, Rule, Seen};
use crate::anomaly::Role;
use crate::insights::finding::{Confidence, Evidence, Kind, Severity, quoted};
use crate::insights::groups::{Detail, Groups, Sighting};
use crate::insights::quality::Quality;
use crate::insights::thresholds::Thresholds;
use crate::model::Spot;
use crate::output::time::Time;
use crate::report::SessionId;
use crate::session::SecretDigest;
use crate::session::auth::{AuthAttempt, AuthOutcome};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Guessing {
    logins: Events<Login>,
    /// Of those who logged in, and only where the session had a login.
    mails: Events<Sent>,
}

/// A login that was accepted or refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Login {
    time: Time,
    session: SessionId,
    /// The number within the session.
    number: usize,
    account: SmolStr,
    is_success: bool,
    mechanism: SmolStr,
    digest: Option<SecretDigest>,
    offset: u64,
    packet: u64,
    quality: Quality,
}

/// A mail by somebody who had logged in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sent {
    time: Time,
    session: SessionId,
    account: SmolStr,
    recipients: u64,
}

impl Rule for Guessing {
    fn session(&mut self, seen: &Seen<'_>, _: &mut Groups) {
        for (number, attempt) in seen.session.auth.iter().enumerate() {
            let is_success = attempt.outcome == AuthOutcome::Success;
            if !is_success && !refuses_credentials(attempt) {
                continue;
            }
            let Some(account) = account(attempt) else { continue };
            self.logins.push(Login {
                time: attempt.timestamp,
                session: seen.id,
                number,
                account: account.to_lowercase_smolstr(),
                is_success,
                mechanism: SmolStr::new(&attempt.mechanism),
                digest: attempt.secret_digest,
                offset: attempt.spot.offset,
                packet: attempt.spot.packet.map_or(0, std::num::NonZeroU64::get),
                quality: seen.quality,
            });
        }
        let logged_in = seen.session.auth.iter().rfind(|attempt| attempt.outcome == AuthOutcome::Success);
        if let Some(account) = logged_in.and_then(account) {
            let account = account.to_lowercase_smolstr();
            for transaction in &seen.session.transactions {
                let (time, recipients) = (transaction.timestamp, transaction.recipient_count());
                self.mails.push(Sent { time, session: seen.id, account: account.clone(), recipients });
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.logins.merge(other.logins);
        self.mails.merge(other.mails);
    }

    fn finish(self, thresholds: &Thresholds, groups: &mut Groups) {
        let logins = self.logins.into_sorted();
        if logins.iter().all(|login| login.is_success) {
            return;
        }
        let mails = self.mails.into_sorted();
        let mut by_source: BTreeMap<IpAddr, Vec<&Login>> = BTreeMap::new();
        let mut by_account: BTreeMap<&SmolStr, Vec<&Login>> = BTreeMap::new();
        for login in &logins {
            by_source.entry(login.source()).or_default().push(login);
            by_account.entry(&login.account).or_default().push(login);
        }
        for (source, logins) in &by_source {
            let is_spraying = spraying(*source, logins, thresholds, groups);
            let mut accounts: BTreeMap<&SmolStr, Vec<&Login>> = BTreeMap::new();
            logins.iter().for_each(|login| accounts.entry(&login.account).or_default().push(login));
            for (account, of_account) in accounts {
                brute_force(*source, account, &of_account, thresholds, groups);
                let sprayed = is_spraying.then_some(logins.as_slice());
                success(*source, account, &of_account, sprayed, &mails, thresholds, groups);
            }
        }
        for (account, logins) in by_account {
            distributed(account, &logins, thresholds, groups);
        }
    }

    fn limit_reached(&self) -> Option<(&'static str, u64)> {
        Some(("finding_logins", self.logins.beyond() + self.mails.beyond()))
    }
}

impl Login {
    fn source(&self) -> IpAddr {
        self.session.four_tuple.client.ip()
    }

    fn evidence(&self) -> Evidence {
        let spot = Spot { packet: std::num::NonZeroU64::new(self.packet), offset: self.offset };
        Evidence::new(self.time, spot, Role::Client, format!("AUTH {}", self.mechanism).as_bytes())
    }
}

/// RFC 4954 §6: whether the server refused the credentials, and not the mechanism (504, 534), the session without TLS (530, 538),
/// or the moment (454, 421).
fn refuses_credentials(attempt: &AuthAttempt) -> bool {
    let code = attempt.code.map(|code| code.value());
    let is_refusal = matches!(code, Some(505..=529 | 531..=533 | 535..=537 | 539..=599));
    attempt.outcome == AuthOutcome::Failure && attempt.credentials_sent && is_refusal
}

/// What is told of several logins: of those that were refused, unless it says otherwise.
fn sighting(kind: Kind, severity: Severity, subject: String, logins: &[&Login]) -> Option<Sighting> {
    let (first, last) = (logins.first()?, logins.last()?);
    let common = logins.iter().map(|login| login.quality).reduce(Quality::common);
    Some(Sighting {
        kind,
        subject,
        severity,
        confidence: Confidence::STRONG,
        count: logins.len() as u64,
        first_seen: first.time,
        last_seen: last.time,
        session: Some(first.session),
        transaction: None,
        quality: common.unwrap_or_default(),
    })
}

/// The first logins, and the last.
fn detail(description: String, logins: &[&Login]) -> Detail {
    let mut shown: Vec<&Login> = logins.iter().copied().take(EVIDENCE - 1).collect();
    shown.extend(logins.last().filter(|_| logins.len() >= EVIDENCE));
    Detail {
        description,
        evidence: shown.iter().map(|login| login.evidence()).collect(),
        sessions: shown.iter().map(|login| login.session).collect(),
    }
}

/// Logins that a finding shows.
const EVIDENCE: usize = 10;

fn refused<'a>(logins: &[&'a Login]) -> Vec<&'a Login> {
    logins.iter().copied().filter(|login| !login.is_success).collect()
}

fn brute_force(source: IpAddr, account: &str, logins: &[&Login], thresholds: &Thresholds, groups: &mut Groups) {
    let refused = refused(logins);
    let seconds = thresholds.brute_force_seconds;
    let most = windows(&refused, |login| login.time, seconds).map(<[_]>::len).max().unwrap_or(0);
    if (most as u64) < thresholds.brute_force_failures {
        return;
    }
    let subject = format!("{source} {account}");
    let Some(mut sighting) = sighting(Kind::AuthBruteForce, Severity::Medium, subject, &refused) else { return };
    let had_succeeded = logins.first().is_some_and(|login| login.is_success);
    if had_succeeded {
        sighting.confidence = Confidence::WEAK;
    }
    groups.add(sighting, || {
        let known = if had_succeeded { "; it had succeeded before, so it may have an old password" } else { "" };
        let count = refused.len();
        let told = format!(
            "{source} was refused {count} times as {}, {most} of them within {seconds} s{known}",
            quoted(account)
        );
        detail(told, &refused)
    });
}

/// Whether it is.
fn spraying(source: IpAddr, logins: &[&Login], thresholds: &Thresholds, groups: &mut Groups) -> bool {
    let refused = refused(logins);
    let few_tries = |window: &&[&Login]| {
        let mut tries: BTreeMap<&str, u64> = BTreeMap::new();
        window.iter().for_each(|login| *tries.entry(&login.account).or_default() += 1);
        tries.values().filter(|&&tries| tries <= thresholds.spraying_tries).count() as u64
            >= thresholds.spraying_accounts
    };
    let seconds = thresholds.spraying_seconds;
    // A window that is too small cannot hold enough accounts.
    let is_large = |window: &&[&Login]| window.len() as u64 >= thresholds.spraying_accounts;
    let is_spread = windows(&refused, |login| login.time, seconds).filter(is_large).any(|window| few_tries(&window));
    let mut by_secret: BTreeMap<SecretDigest, BTreeSet<&str>> = BTreeMap::new();
    for login in logins {
        if let Some(digest) = login.digest {
            by_secret.entry(digest).or_default().insert(&login.account);
        }
    }
    let shared = by_secret.values().map(BTreeSet::len).max().unwrap_or(0) as u64;
    let is_shared = shared >= thresholds.spraying_shared_secret && !refused.is_empty();
    if !is_spread && !is_shared {
        return false;
    }
    let Some(mut sighting) = sighting(Kind::PasswordSpraying, Severity::Medium, source.to_string(), &refused) else {
        return false;
    };
    let is_gateway = logins.len() - refused.len() > refused.len();
    if is_gateway {
        sighting.confidence = Confidence::WEAK;
    }
    groups.add(sighting, || {
        let accounts: BTreeSet<&str> = refused.iter().map(|login| &*login.account).collect();
        let sample: Vec<String> = accounts.iter().take(SAMPLE).map(|account| quoted(account)).collect();
        let mut told =
            format!("{source} was refused as {} accounts, few times each: {}", accounts.len(), sample.join(", "));
        if accounts.len() > sample.len() {
            told += ", …";
        }
        if is_shared {
            told += &format!("; one secret was tried on {shared} accounts");
        }
        if is_gateway {
            told += "; most of its logins succeed, so it may be a gateway of many users";
        }
        detail(told, &refused)
    });
    true
}

/// Accounts that a description names.
const SAMPLE: usize = 10;

fn distributed(account: &str, logins: &[&Login], thresholds: &Thresholds, groups: &mut Groups) {
    let refused = refused(logins);
    let seconds = thresholds.distributed_seconds;
    let sources = |window: &[&Login]| window.iter().map(|login| login.source()).collect::<BTreeSet<_>>().len();
    let is_large = |window: &&[&Login]| window.len() as u64 >= thresholds.distributed_sources;
    let most = windows(&refused, |login| login.time, seconds).filter(is_large).map(sources).max().unwrap_or(0);
    if (most as u64) < thresholds.distributed_sources {
        return;
    }
    let subject = account.to_owned();
    let Some(sighting) = sighting(Kind::AuthDistributed, Severity::Medium, subject, &refused) else { return };
    groups.add(sighting, || {
        let told = format!("{} was refused to {most} sources within {seconds} s", quoted(account));
        detail(told, &refused)
    });
}

/// `sprayed`: all logins of the source, where it tries many accounts.
fn success(
    source: IpAddr,
    account: &str,
    logins: &[&Login],
    sprayed: Option<&[&Login]>,
    mails: &[Sent],
    thresholds: &Thresholds,
    groups: &mut Groups,
) {
    let tries = sprayed.unwrap_or(logins);
    let seconds = thresholds.success_after_seconds;
    let is_late = |login: &&&Login| {
        let before = tries.iter().filter(|earlier| !earlier.is_success && *earlier < *login);
        let recent = before.filter(|earlier| within(earlier.time, login.time, seconds)).count() as u64;
        recent >= thresholds.success_after_failures
    };
    // The first success behind enough failures; those behind it are looked at no more.
    let Some(got_in) = logins.iter().filter(|login| login.is_success).find(is_late) else { return };
    let mut shown: Vec<&Login> = refused(tries).into_iter().filter(|login| login < got_in).collect();
    let failures = shown.len();
    let keep_from = shown.len().saturating_sub(EVIDENCE - 1);
    let first_seen = shown.first().map_or(got_in.time, |login| login.time);
    shown.drain(..keep_from);
    shown.push(got_in);
    let subject = format!("{source} {account}");
    let Some(mut sighting) = sighting(Kind::AuthSuccessAfterFailures, Severity::High, subject.clone(), &shown) else {
        return;
    };
    (sighting.first_seen, sighting.count) = (first_seen, 1);
    let is_before = |login: &&Login| tries.iter().find(|tried| !tried.is_success).is_some_and(|first| *login < *first);
    let had_succeeded = logins.iter().any(|login| login.is_success && is_before(login));
    if had_succeeded {
        (sighting.confidence, sighting.severity) = (Confidence::WEAK, Severity::Medium);
    }
    groups.add(sighting.clone(), || {
        let known = if had_succeeded { "; it had got in before, so it may be its user" } else { "" };
        let told = format!("{source} got in as {} after {failures} refusals{known}", quoted(account));
        detail(told, &shown)
    });
    takeover(account, got_in, mails, sighting, thresholds, groups);
}

/// What the account sent once it was guessed.
fn takeover(
    account: &str,
    got_in: &Login,
    mails: &[Sent],
    of_success: Sighting,
    thresholds: &Thresholds,
    groups: &mut Groups,
) {
    let source = got_in.source();
    let is_of = |sent: &&Sent| {
        sent.account == account && sent.time >= got_in.time && sent.session.four_tuple.client.ip() == source
    };
    let sent: Vec<&Sent> = mails.iter().filter(is_of).collect();
    let is_bulk = |window: &[&Sent]| {
        let recipients: u64 = window.iter().map(|sent| sent.recipients).sum();
        recipients > thresholds.bulk_recipients || window.len() as u64 > thresholds.bulk_mails
    };
    if !windows(&sent, |sent| sent.time, thresholds.bulk_seconds).any(is_bulk) {
        return;
    }
    let (Some(first), Some(last)) = (sent.first(), sent.last()) else { return };
    let severity = if of_success.severity == Severity::High { Severity::Critical } else { Severity::High };
    let sighting = Sighting {
        kind: Kind::AccountTakeover,
        severity,
        first_seen: first.time,
        last_seen: last.time,
        session: Some(first.session),
        count: sent.len() as u64,
        ..of_success
    };
    groups.add(sighting, || {
        let recipients: u64 = sent.iter().map(|sent| sent.recipients).sum();
        Detail {
            description: format!(
                "{source} guessed the password of {} and sent {} mails to {recipients} recipients",
                quoted(account),
                sent.len()
            ),
            evidence: vec![got_in.evidence()],
            sessions: sent.iter().take(EVIDENCE).map(|sent| sent.session).collect(),
        }
    });
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::testing::{finding, kinds};
    use super::*;
    use crate::model::{Outcome, RecipientOutcome, Session, Transaction};
    use crate::samples::{at, attempt, code, recipient, session, transaction};

    /// A session from 192.0.2.`host` in which `user` is refused, or let in, at this second.
    fn login(host: u8, user: &str, second: i64, outcome: AuthOutcome) -> Session {
        let code = code(if outcome == AuthOutcome::Success { 235 } else { 535 });
        let by = AuthAttempt {
            username: Some(user.to_owned()),
            code: Some(code),
            timestamp: at(second),
            // Not a finding by itself.
            ..attempt("EXTERNAL", outcome)
        };
        let port = u16::try_from(second).expect("few seconds");
        Session {
            client_ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)),
            client_port: port,
            first_seen: at(second),
            auth_attempts: 1,
            auth: vec![by],
            ..session()
        }
    }

    fn refused(host: u8, user: &str, second: i64) -> Session {
        login(host, user, second, AuthOutcome::Failure)
    }

    fn accepted(host: u8, user: &str, second: i64) -> Session {
        login(host, user, second, AuthOutcome::Success)
    }

    /// But for `auth_failure`, which each of them is.
    fn found(sessions: &[Session]) -> Vec<(Kind, Severity)> {
        kinds(sessions).into_iter().filter(|&(kind, _)| kind != Kind::AuthFailure).collect()
    }

    const BRUTE_FORCE: (Kind, Severity) = (Kind::AuthBruteForce, Severity::Medium);
    const SPRAYING: (Kind, Severity) = (Kind::PasswordSpraying, Severity::Medium);
    const SUCCESS: (Kind, Severity) = (Kind::AuthSuccessAfterFailures, Severity::High);

    #[test]
    fn ten_refusals_in_five_minutes_are_brute_force_and_nine_are_not() {
        let tries =
            |count: i64, every: i64| (0..count).map(|n| refused(1, "Alice", 100 + n * every)).collect::<Vec<_>>();
        assert_eq!(found(&tries(10, 30)), [BRUTE_FORCE]);
        assert_eq!(found(&tries(9, 30)), []);
        assert_eq!(found(&tries(10, 34)), [], "ten in 306 seconds");
        let shown = finding(Kind::AuthBruteForce, &tries(30, 10));
        assert_eq!((shown.count, shown.evidence.len(), shown.sessions.len()), (30, 10, 10));
        assert_eq!((shown.first_seen, shown.last_seen), (Some(at(100)), Some(at(390))));
        assert_eq!(shown.description, "192.0.2.1 was refused 30 times as alice, 30 of them within 300 s");
    }

    /// In whatever order the sessions end, which is that of the report here turned around.
    #[test]
    fn the_order_of_the_sessions_does_not_matter() {
        let mut tries: Vec<Session> = (0..12).map(|n| refused(1, "a", 100 + n)).collect();
        let told =
            |sessions: &[Session]| serde_json::to_string(&super::super::testing::findings(sessions)).expect("JSON");
        let forward = told(&tries);
        tries.reverse();
        assert_eq!(told(&tries), forward);
    }

    /// A mechanism that is not known, or a server that wants TLS, refuses no credentials.
    #[test]
    fn only_credentials_that_were_refused_count() {
        for number in [454, 504, 530, 534, 538] {
            let mut tries: Vec<Session> = (0..20).map(|n| refused(1, "a", 100 + n)).collect();
            tries.iter_mut().flat_map(|session| &mut session.auth).for_each(|by| by.code = Some(code(number)));
            assert_eq!(found(&tries), [], "{number}");
        }
    }

    #[test]
    fn a_program_with_an_old_password_is_less_sure() {
        let mut tries: Vec<Session> = (0..20).map(|n| refused(1, "a", 100 + n)).collect();
        tries.push(accepted(1, "a", 50));
        assert_eq!(finding(Kind::AuthBruteForce, &tries).confidence, Confidence::WEAK);
    }

    #[test]
    fn few_tries_on_ten_accounts_are_spraying_and_on_nine_are_not() {
        let tries = |accounts: i64| {
            let names = (0..accounts).map(|n| refused(1, &format!("user{n}"), 100 + n * 60));
            names.collect::<Vec<_>>()
        };
        assert_eq!(found(&tries(10)), [SPRAYING]);
        assert_eq!(found(&tries(9)), []);
        let told = finding(Kind::PasswordSpraying, &tries(11)).description;
        assert!(told.contains("as 11 accounts, few times each: user0, user1, user10") && told.ends_with('…'), "{told}");
    }

    /// People who mistype at a gateway.
    #[test]
    fn a_gateway_of_many_users_is_less_sure() {
        let mut logins: Vec<Session> = (0..10).map(|n| refused(1, &format!("user{n}"), 100 + n)).collect();
        logins.extend((0..30).map(|n| accepted(1, &format!("other{n}"), 200 + n)));
        assert_eq!(finding(Kind::PasswordSpraying, &logins).confidence, Confidence::WEAK);
    }

    #[test]
    fn one_secret_on_five_accounts_is_spraying() {
        let key = crate::session::DigestKey::new([7; 16]);
        let with = |n: u8, secret: &str| {
            let mut session = refused(1, &format!("user{n}"), 100 + i64::from(n));
            session.auth[0].secret_digest = Some(key.digest(smtp_parser::Secret::new(secret.as_bytes())));
            session
        };
        let same: Vec<Session> = (0..5).map(|n| with(n, "Summer2024")).collect();
        assert_eq!(found(&same), [SPRAYING]);
        let own: Vec<Session> = (0..5).map(|n| with(n, &n.to_string())).collect();
        assert_eq!(found(&own), []);
    }

    #[test]
    fn one_account_from_five_sources_is_distributed_and_from_four_is_not() {
        let tries = |hosts: u8| (1..=hosts).map(|host| refused(host, "a", 100 + i64::from(host))).collect::<Vec<_>>();
        assert_eq!(found(&tries(5)), [(Kind::AuthDistributed, Severity::Medium)]);
        assert_eq!(found(&tries(4)), []);
    }

    #[test]
    fn success_after_five_refusals_is_high_and_after_four_is_not() {
        let tries = |refusals: i64| {
            let mut tries: Vec<Session> = (0..refusals).map(|n| refused(1, "alice", 100 + n)).collect();
            tries.push(accepted(1, "alice", 200));
            tries
        };
        assert_eq!(found(&tries(5)), [SUCCESS]);
        assert_eq!(found(&tries(4)), [], "people mistype");
        let told = finding(Kind::AuthSuccessAfterFailures, &tries(12)).description;
        assert_eq!(told, "192.0.2.1 got in as alice after 12 refusals");
        // Somebody else's success, and one of before.
        let mut other = tries(5);
        other.pop();
        other.push(accepted(2, "alice", 200));
        assert_eq!(found(&other), []);
        let mut before = tries(5);
        before.push(accepted(1, "alice", 50));
        assert_eq!(finding(Kind::AuthSuccessAfterFailures, &before).severity, Severity::Medium);
    }

    /// Of a source that tries everybody, any success counts.
    #[test]
    fn the_account_that_spraying_opened_is_named() {
        let mut tries: Vec<Session> = (0..12).map(|n| refused(1, &format!("user{n}"), 100 + n)).collect();
        tries.push(accepted(1, "victim", 150));
        assert_eq!(found(&tries), [SUCCESS, SPRAYING]);
        assert!(finding(Kind::AuthSuccessAfterFailures, &tries).description.contains("as victim after 12"));
    }

    #[test]
    fn bulk_mail_by_a_guessed_account_is_a_takeover() {
        let tries = |recipients: usize| {
            let mut tries: Vec<Session> = (0..6).map(|n| refused(1, "a", 100 + n)).collect();
            let mut got_in = accepted(1, "a", 200);
            let to = vec![recipient("b@b", RecipientOutcome::Accepted); recipients];
            let mail = Transaction { timestamp: at(201), recipients: to, ..transaction("a@a", Outcome::Accepted) };
            got_in.transactions = vec![mail];
            tries.push(got_in);
            tries
        };
        assert_eq!(found(&tries(51)), [(Kind::AccountTakeover, Severity::Critical), SUCCESS]);
        assert_eq!(found(&tries(50)), [SUCCESS]);
        let told = finding(Kind::AccountTakeover, &tries(60)).description;
        assert_eq!(told, "192.0.2.1 guessed the password of a and sent 1 mails to 60 recipients");
    }
}
