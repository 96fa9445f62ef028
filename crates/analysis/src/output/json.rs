//! JSON without blanks, as fast as it can be made: field names are copied as they are, a text is looked through once.
//!
//! A report of many small mails is mostly JSON. serde_json looks at every octet of every field name and text by a table;
//! here names, which are those of our own structures, are not looked at, and texts in strides. Both write the same
//! octets, which the tests hold.

use serde::{Serialize, ser};

/// Appends a value to `out` as compact JSON.
///
/// # Errors
/// Those of the value's own `Serialize`, and a map whose keys are not texts.
pub(crate) fn append<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> serde_json::Result<()> {
    value.serialize(Json { out, is_raw: false })
}

/// Writes one value.
struct Json<'a> {
    out: &'a mut Vec<u8>,
    /// A text is JSON already, see [`RAW`].
    is_raw: bool,
}

/// Writes what consists of several values.
struct Compound<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
    end: &'static [u8],
}

/// By this name serde_json passes on text that is JSON already, such as the digits of a time: a structure of this name
/// with one field of this name, which is that text. It is how `serde_json::value::RawValue` is written.
pub(crate) const RAW: &str = "$serde_json::private::RawValue";

impl<'a> Json<'a> {
    fn open(self, begin: &[u8], end: &'static [u8]) -> Compound<'a> {
        self.out.extend_from_slice(begin);
        Compound { out: self.out, is_first: true, end }
    }

    fn open_variant(self, variant: &'static str, begin: &[u8], end: &'static [u8]) -> Compound<'a> {
        self.out.push(b'{');
        name(self.out, variant);
        self.open(begin, end)
    }

    fn integer(self, value: impl itoa::Integer) -> serde_json::Result<()> {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        Ok(())
    }

    fn literal(self, value: &str) -> serde_json::Result<()> {
        self.out.extend_from_slice(value.as_bytes());
        Ok(())
    }
}

/// A name of ours, which has nothing to escape, and the colon. Where it is put in place, its length is known to the
/// compiler, and it is written by a few instructions.
#[inline(always)]
fn name(out: &mut Vec<u8>, name: &'static str) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// RFC 8259 §7: quotation mark, reverse solidus and U+0000 to U+001F must be escaped, all else may stand as it is.
fn must_be_escaped(octet: u8) -> bool {
    octet < 0x20 || octet == b'"' || octet == b'\\'
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    // Without a branch for each octet, so that the compiler takes many at a time. Most texts have nothing to escape.
    if rest.iter().fold(false, |found, &octet| found | must_be_escaped(octet)) {
        while let Some(at) = rest.iter().position(|&octet| must_be_escaped(octet)) {
            let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            let (octet, behind) = from.split_first().unwrap_or((&0, &[]));
            out.extend_from_slice(plain);
            escape(out, *octet);
            rest = behind;
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, octet: u8) {
    let short = match octet {
        b'"' | b'\\' => octet,
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(octet >> 4), digit(octet & 0x0f)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

impl<'a> ser::Serializer for Json<'a> {
    type Ok = ();
    type Error = serde_json::Error;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    fn serialize_bool(self, value: bool) -> serde_json::Result<()> {
        self.literal(if value { "true" } else { "false" })
    }

    fn serialize_i8(self, value: i8) -> serde_json::Result<()> {
        self.integer(value)
    }

    fn serialize_i16(self, value: i16) -> serde_json::Result<()> {
        self.integer(value)
    }

    fn serialize_i32(self, value: i32) -> serde_json::Result<()> {
        self.integer(value)
    }

    fn serialize_i64(self, value: i64) -> serde_json::Result<()> {
        self.integer(value)
    }

    fn serialize_u8(self, value: u8) -> serde_json::Result<()> {
        self.integer(value)
    }

    fn serialize_u16(self, value: u16) -> serde_json::Result<()> {
        self.integer(value)
    }

    fn serialize_u32(self, value: u32) -> serde_json::Result<()> {
        self.integer(value)
    }

    fn serialize_u64(self, value: u64) -> serde_json::Result<()> {
        self.integer(value)
    }

    fn serialize_f32(self, value: f32) -> serde_json::Result<()> {
        serde_json::to_writer(self.out, &value)
    }

    fn serialize_f64(self, value: f64) -> serde_json::Result<()> {
        serde_json::to_writer(self.out, &value)
    }

    fn serialize_char(self, value: char) -> serde_json::Result<()> {
        text(self.out, value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> serde_json::Result<()> {
        if self.is_raw {
            return self.literal(value);
        }
        text(self.out, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> serde_json::Result<()> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> serde_json::Result<()> {
        self.literal("null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> serde_json::Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> serde_json::Result<()> {
        self.literal("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> serde_json::Result<()> {
        self.literal("null")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> serde_json::Result<()> {
        self.out.push(b'"');
        self.out.extend_from_slice(variant.as_bytes());
        self.out.push(b'"');
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> serde_json::Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> serde_json::Result<()> {
        let mut object = self.open(b"{", b"}");
        ser::SerializeStruct::serialize_field(&mut object, variant, value)?;
        ser::SerializeStruct::end(object)
    }

    fn serialize_seq(self, _: Option<usize>) -> serde_json::Result<Compound<'a>> {
        Ok(self.open(b"[", b"]"))
    }

    fn serialize_tuple(self, _: usize) -> serde_json::Result<Compound<'a>> {
        Ok(self.open(b"[", b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> serde_json::Result<Compound<'a>> {
        Ok(self.open(b"[", b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> serde_json::Result<Compound<'a>> {
        Ok(self.open_variant(variant, b"[", b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> serde_json::Result<Compound<'a>> {
        Ok(self.open(b"{", b"}"))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> serde_json::Result<Compound<'a>> {
        Ok(if name == RAW { self.open(b"", b"") } else { self.open(b"{", b"}") })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> serde_json::Result<Compound<'a>> {
        Ok(self.open_variant(variant, b"{", b"}}"))
    }
}

impl Compound<'_> {
    fn comma(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> serde_json::Result<()> {
        self.comma();
        append(self.out, value)
    }

    #[inline(always)]
    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> serde_json::Result<()> {
        if key == RAW {
            return value.serialize(Json { out: self.out, is_raw: true });
        }
        self.comma();
        name(self.out, key);
        append(self.out, value)
    }

    fn close(self) -> serde_json::Result<()> {
        self.out.extend_from_slice(self.end);
        Ok(())
    }
}

impl ser::SerializeSeq for Compound<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> serde_json::Result<()> {
        self.item(value)
    }

    fn end(self) -> serde_json::Result<()> {
        self.close()
    }
}

impl ser::SerializeTuple for Compound<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> serde_json::Result<()> {
        self.item(value)
    }

    fn end(self) -> serde_json::Result<()> {
        self.close()
    }
}

impl ser::SerializeTupleStruct for Compound<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> serde_json::Result<()> {
        self.item(value)
    }

    fn end(self) -> serde_json::Result<()> {
        self.close()
    }
}

impl ser::SerializeTupleVariant for Compound<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> serde_json::Result<()> {
        self.item(value)
    }

    fn end(self) -> serde_json::Result<()> {
        self.close()
    }
}

impl ser::SerializeStruct for Compound<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    #[inline(always)]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> serde_json::Result<()> {
        self.field(key, value)
    }

    fn end(self) -> serde_json::Result<()> {
        self.close()
    }
}

impl ser::SerializeStructVariant for Compound<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> serde_json::Result<()> {
        self.field(key, value)
    }

    fn end(self) -> serde_json::Result<()> {
        self.close()
    }
}

/// A key that is no text is refused; serde_json makes texts of numbers, but no record of ours has such a key.
impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> serde_json::Result<()> {
        self.comma();
        let from = self.out.len();
        append(self.out, key)?;
        if self.out.get(from) == Some(&b'"') {
            return Ok(());
        }
        Err(ser::Error::custom("key must be a string"))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> serde_json::Result<()> {
        self.out.push(b':');
        append(self.out, value)
    }

    fn end(self) -> serde_json::Result<()> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::samples::at;

    #[derive(Serialize)]
    enum Variant {
        Unit,
        Newtype(u8),
        Tuple(bool, char),
        Struct { field: Option<()> },
    }

    #[derive(Serialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Tagged {
        First { of: &'static str },
    }

    #[derive(Serialize)]
    struct Record<'a> {
        text: &'a str,
        numbers: (i64, u64, f64),
        list: Vec<&'a str>,
        absent: Option<u8>,
        map: BTreeMap<String, u32>,
        time: crate::output::time::Time,
        variants: [Variant; 4],
        tagged: Tagged,
        #[serde(flatten)]
        more: BTreeMap<&'static str, bool>,
        value: serde_json::Value,
    }

    #[track_caller]
    fn same(value: &impl Serialize) {
        let mut out = Vec::new();
        append(&mut out, value).expect("a value");
        assert_eq!(String::from_utf8_lossy(&out), serde_json::to_string(value).expect("a value"));
    }

    proptest! {
        #[test]
        fn whatever_stands_in_a_record_it_is_written_as_serde_json_writes_it(
            text in any::<String>(),
            list in prop::collection::vec(".{0,3}", 0..4),
            numbers in any::<(i64, u64, f64)>(),
            map in prop::collection::btree_map(any::<String>(), any::<u32>(), 0..3),
            second in any::<i32>(),
        ) {
            same(&Record {
                text: &text,
                numbers,
                list: list.iter().map(String::as_str).collect(),
                absent: None,
                map,
                time: at(second.into()),
                variants: [
                    Variant::Unit,
                    Variant::Newtype(7),
                    Variant::Tuple(true, '"'),
                    Variant::Struct { field: None },
                ],
                tagged: Tagged::First { of: "all" },
                more: [("more", true)].into(),
                value: serde_json::json!({"a": [1, null, {}]}),
            });
        }
    }

    /// RFC 8259 §7.
    #[test]
    fn each_control_character_is_escaped() {
        let all: String = (0..=0x80).filter_map(char::from_u32).collect();
        same(&all);
        same(&"x".repeat(100));
        same(&("x".repeat(100) + "\"" + &"y".repeat(100) + "\\"));
    }

    #[test]
    fn a_key_that_is_no_text_is_refused() {
        let map: BTreeMap<u8, u8> = [(1, 2)].into();
        assert!(append(&mut Vec::new(), &map).is_err());
    }
}
