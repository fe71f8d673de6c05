//! What is almost as a schema wants it. A schema is only worth something if it refuses that.

use super::schema::catalogue;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Every keyword that a schema here may use. A validator passes over one that is misspelt.
const KEYWORDS: [&str; 18] = [
    "additionalProperties",
    "allOf",
    "const",
    "dependentRequired",
    "dependentSchemas",
    "enum",
    "examples",
    "format",
    "items",
    "minItems",
    "minLength",
    "minimum",
    "pattern",
    "properties",
    "required",
    "spec",
    "type",
    "uniqueItems",
];

/// What a reference leads to, and the file that this is in.
pub fn resolve<'a>(schema: &'a Value, file: &'a str) -> (&'a Value, &'a str) {
    let Some(reference) = schema.get("$ref") else { return (schema, file) };
    assert_eq!(schema.as_object().unwrap().len(), 1, "{file}: {schema}");
    let (name, pointer) = {
        let reference = reference.as_str().unwrap();
        reference.split_once('#').unwrap_or((reference, ""))
    };
    let folder = file.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let name = if name.is_empty() { file.to_owned() } else { format!("{folder}{name}") };
    let (name, json) = catalogue().files.get_key_value(&name).unwrap_or_else(|| panic!("no file {name}"));
    resolve(json.pointer(pointer).unwrap(), name)
}

/// Bodies that differ from a valid one by one fault each: a required key dropped, a type changed, a key too many.
pub fn mutants(schema: &Value, file: &str, valid: &Value) -> Vec<Value> {
    let (schema, file) = resolve(schema, file);
    for keyword in schema.as_object().unwrap().keys() {
        assert!(KEYWORDS.contains(&&**keyword), "{file}: {keyword}");
    }
    let others =
        [json!(null), json!(true), json!(-0.5), json!("\u{0}"), json!([null]), json!({ "\u{0}": null })];
    let kind = std::mem::discriminant(valid);
    let mut found: Vec<Value> =
        others.into_iter().filter(|other| std::mem::discriminant(other) != kind).collect();
    match valid {
        Value::Object(object) => {
            let changed = |key: &str, value: Option<Value>| {
                let mut object = object.clone();
                match value {
                    Some(value) => object.insert(key.to_owned(), value),
                    None => object.remove(key),
                };
                Value::Object(object)
            };
            let required: Vec<String> = of(schema, "required");
            found.extend(required.iter().map(|key| changed(key, None)));
            // Open is only what the spec describes no key of.
            if schema.get("additionalProperties").is_some() {
                found.push(changed("org.example.extra", Some(json!(null))));
            } else {
                assert!(schema.get("properties").is_none(), "{file}: {schema}");
            }
            for (key, value) in object {
                if let Some(inner) = schema["properties"].get(key).or(schema.get("additionalProperties")) {
                    let inner = mutants(inner, file, value);
                    found.extend(inner.into_iter().map(|broken| changed(key, Some(broken))));
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                for broken in mutants(&schema["items"], file, item) {
                    let mut items = items.clone();
                    items[index] = broken;
                    found.push(items.into());
                }
            }
        }
        Value::Number(_) => found.extend([json!(0.5), json!(-1)]),
        Value::Bool(value) if schema.get("const").is_some() => found.push((!value).into()),
        Value::String(_)
            if ["const", "enum", "format", "pattern"].iter().any(|key| schema.get(key).is_some()) =>
        {
            found.push(json!("\u{0}"));
        }
        _ => {}
    }
    found
}

fn of<T: serde::de::DeserializeOwned + Default>(schema: &Value, keyword: &str) -> T {
    schema.get(keyword).map(|value| serde_json::from_value(value.clone()).unwrap()).unwrap_or_default()
}

/// The paths of all keys that a schema names.
pub fn properties(schema: &Value, file: &str, at: String, found: &mut BTreeSet<String>) {
    let (schema, file) = resolve(schema, file);
    for (key, inner) in of::<Map<String, Value>>(schema, "properties") {
        let at = format!("{at}/{key}");
        properties(&inner, file, at.clone(), found);
        found.insert(at);
    }
    if let Some(items) = schema.get("items") {
        properties(items, file, format!("{at}/0"), found);
    }
}

/// The paths of all keys that a value has.
pub fn keys(value: &Value, at: String, found: &mut BTreeSet<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().map(|item| ("0".to_owned(), item)).collect(),
        _ => return,
    };
    for (key, value) in inner {
        let at = format!("{at}/{key}");
        keys(value, at.clone(), found);
        found.insert(at);
    }
}
