//! Whom a proxy or filter says it speaks for: XCLIENT and XFORWARD.
//!
//! Postfix, XCLIENT_README: the server answers 220, a new greeting, and the session begins anew; what an attribute does
//! not name stays as it was. XFORWARD_README: the attributes may be spread over several commands, and hold for the next
//! mail only.

use smtp_parser::{Attribute, AttributeValue, Attributes};

use super::dialogue::Dialogue;
use crate::model::{ClaimSource, ClaimedClient};
use crate::output::text;

impl Dialogue {
    /// What a peer says of the client behind it, where the server did not refuse to hear it.
    pub(super) fn claim(&mut self, source: ClaimSource, argument: &[u8]) {
        let is_stale = std::mem::take(&mut self.claim_is_of_last_mail) && source == ClaimSource::Xforward;
        let before = self.claimed_client.take().filter(|claim| claim.source == source && !is_stale);
        let mut client = before.unwrap_or_else(|| Box::new(ClaimedClient::new(source)));
        let attributes = Attributes::new(argument);
        for Attribute { name, value } in attributes {
            let said = || match &value {
                AttributeValue::Text(octets) if !octets.is_empty() => Some(text(octets)),
                _ => None,
            };
            match name.to_ascii_uppercase().as_slice() {
                b"ADDR" => client.address = attributes.address(),
                b"PORT" => client.port = attributes.port(),
                b"NAME" => client.name = said(),
                b"HELO" => client.helo = said(),
                b"LOGIN" => client.login = said(),
                b"PROTO" => client.protocol = said(),
                b"DESTADDR" => client.destination_address = attributes.destination_address(),
                b"DESTPORT" => client.destination_port = attributes.destination_port(),
                _ => {}
            }
        }
        self.claimed_client = Some(client);
    }
}

#[cfg(test)]
mod tests {
    use crate::anomaly::Role::{Client, Server};
    use crate::model::{ClaimSource, ClaimedClient};
    use crate::samples::{opened, talk};

    fn xforward(name: &str, helo: Option<&str>) -> ClaimedClient {
        ClaimedClient {
            name: Some(name.into()),
            helo: helo.map(Into::into),
            ..ClaimedClient::new(ClaimSource::Xforward)
        }
    }

    #[test]
    fn several_commands_make_one_claim_and_the_next_mail_has_its_own() {
        let first =
            [(Client, "XFORWARD NAME=spike.example.org\r\nXFORWARD HELO=spike\r\n"), (Server, "250 ok\r\n250 ok\r\n")];
        let claimed = talk(&opened(&first)).claimed_client;
        assert_eq!(claimed.as_deref(), Some(&xforward("spike.example.org", Some("spike"))));
        let second = [
            (Client, "MAIL FROM:<a@x>\r\n"),
            (Server, "250 ok\r\n"),
            (Client, "RSET\r\nXFORWARD NAME=other.example.org\r\n"),
            (Server, "250 ok\r\n250 ok\r\n"),
        ];
        let claimed = talk(&opened(&[first.as_slice(), &second].concat())).claimed_client;
        assert_eq!(claimed.as_deref(), Some(&xforward("other.example.org", None)));
    }

    #[test]
    fn a_claim_that_is_refused_is_none() {
        let turns = [(Client, "XCLIENT ADDR=192.0.2.9\r\n"), (Server, "550 insufficient authorization\r\n")];
        assert_eq!(talk(&opened(&turns)).claimed_client, None);
    }
}
