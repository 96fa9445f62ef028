//! From where on something is a finding: every threshold of every rule, in one table.

/// Makes the struct, its defaults and the table of `docs/findings.md` from one list.
macro_rules! thresholds {
    ($($(#[doc = $meaning:literal])+ $name:ident: $default:literal, $unit:literal;)+) => {
        /// Every threshold of every rule.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Thresholds {
            $($(#[doc = $meaning])+ pub $name: u64,)+
        }

        impl Default for Thresholds {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Thresholds {
            /// Name, value, unit and meaning of each.
            pub fn rows(&self) -> Vec<(&'static str, u64, &'static str, &'static str)> {
                vec![$((stringify!($name), self.$name, $unit, concat!($($meaning),+)),)+]
            }
        }
    };
}

thresholds! {
    /// More recipients than this are unusual for one mail: RFC 5321 §4.5.3.1.8 makes servers take 100.
    recipients_of_a_mail: 100, "recipients";
    /// A capture of which this share of sessions lacks something is a finding itself.
    incomplete_sessions: 10, "percent of the sessions";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_threshold_has_a_row_with_its_default() {
        let rows = Thresholds::default().rows();
        assert!(rows.iter().all(|(name, value, unit, meaning)| {
            *value > 0 && !name.is_empty() && !unit.is_empty() && !meaning.contains('|')
        }));
        assert!(rows.contains(&("recipients_of_a_mail", 100, "recipients", rows[0].3)));
    }
}
