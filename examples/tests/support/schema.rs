//! Every answer against the schema of its endpoint.
//!
//! ```text
//! method + path ──▶ file in schemas/ ──▶ status ──▶ the body's schema
//!                                             └──▶ the standard error, and the codes there are for it
//! ```
//!
//! A file in `schemas/` is for one endpoint: the `spec` file that it was written from, its `paths`, and by method
//! the JSON Schema of each status and the `errors` by status. What the spec leaves open and the homeserver's
//! contract doesn't is as the contract says. Where the answer may be a page for people there is `"page": true`.

use super::Answer;
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::read);

/// All schemas of `schemas/`.
pub struct Catalogue {
    /// As they were written, by file name.
    pub files: BTreeMap<String, Value>,
    pub operations: Vec<Operation>,
    compiled: Schemas,
    error: SchemaIndex,
}

/// What one method of one path may answer.
pub struct Operation {
    pub method: String,
    /// The template; `{…}` stands for one segment.
    pub path: String,
    pub page: bool,
    /// The schema of each status, and where it is written.
    pub bodies: BTreeMap<u16, (String, SchemaIndex)>,
    /// The codes of each status' standard error.
    pub errors: BTreeMap<u16, Vec<String>>,
}

/// The catalogue, read once.
pub fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

/// # Panics
///
/// If the answer is none that the spec and the homeserver's contract give for this request.
pub fn check(method: &str, target: &str, answer: &Answer) {
    let judged = CATALOGUE.judge(method, target, answer.status, answer.header("content-type"), &answer.body);
    if let Err(fault) = judged {
        panic!("{method} {target}: {fault}\n{answer}");
    }
}

impl Catalogue {
    /// What is wrong with an answer, if anything is.
    pub fn judge(
        &self,
        method: &str,
        target: &str,
        status: u16,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<(), String> {
        if method == "OPTIONS" {
            return if status == 204 && body.is_empty() {
                Ok(())
            } else {
                Err("no preflight's answer".into())
            };
        }
        let path = target.split('?').next().unwrap_or_default();
        // Old clients say `r0` and mean the same.
        let path = path.replacen("/_matrix/client/r0/", "/_matrix/client/v3/", 1);
        let known: Vec<_> = self.operations.iter().filter(|operation| operation.is_at(&path)).collect();
        let Some(operation) = known.iter().find(|operation| operation.method == method) else {
            let due = if known.is_empty() { 404 } else { 405 };
            let codes = BTreeMap::from([(due, vec!["M_UNRECOGNIZED".to_owned()])]);
            return self
                .judge_error(status, &parse(body)?, &codes)
                .map_err(|fault| format!("schemas/ has no such operation: {fault}"));
        };
        if operation.page && is_page(status, content_type) {
            return Ok(());
        }
        let json = parse(body)?;
        match operation.bodies.get(&status) {
            Some((_, schema)) if status < 400 || json.get("flows").is_some() => self.validate(*schema, &json),
            _ => self.judge_error(status, &json, &operation.errors),
        }
    }

    fn judge_error(
        &self,
        status: u16,
        json: &Value,
        codes: &BTreeMap<u16, Vec<String>>,
    ) -> Result<(), String> {
        if status < 400 {
            return Err(format!("no schema is for the status {status}"));
        }
        self.validate(self.error, json)?;
        // Bodies are read whole before anybody asks where they go.
        let too_large = ["M_TOO_LARGE".to_owned()];
        let codes = match status {
            413 => &too_large[..],
            _ => codes.get(&status).map_or(&[][..], Vec::as_slice),
        };
        if codes.iter().any(|code| json["errcode"] == **code) {
            return Ok(());
        }
        Err(format!("{} is no {status} of this endpoint; there are {codes:?}", json["errcode"]))
    }

    fn validate(&self, schema: SchemaIndex, json: &Value) -> Result<(), String> {
        self.compiled.validate(json, schema).map_err(|error| format!("{error:#}"))
    }

    fn read() -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        let mut files: BTreeMap<String, Value> = BTreeMap::new();
        for folder in ["", "shared/"] {
            for entry in dir.join(folder).read_dir().unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "json") {
                    let name = format!("{folder}{}", path.file_name().unwrap().to_str().unwrap());
                    let json = serde_json::from_slice(&std::fs::read(&path).unwrap());
                    files.insert(name, json.unwrap_or_else(|error| panic!("{}: {error}", path.display())));
                }
            }
        }
        let (mut compiler, mut compiled) = (Compiler::new(), Schemas::new());
        compiler.enable_format_assertions();
        let url = |name: &str| format!("schemas:///{name}");
        for (name, json) in &files {
            compiler.add_resource(&url(name), json.clone()).unwrap();
        }
        let mut compile = |location: &str| {
            let index = compiler.compile(&url(location), &mut compiled);
            index.unwrap_or_else(|error| panic!("{location}: {error:#}"))
        };
        let error = compile("shared/error.json");
        let mut operations = Vec::new();
        for (name, json) in files.iter().filter(|(name, _)| !name.starts_with("shared/")) {
            for path in json["paths"].as_array().unwrap() {
                for (method, answers) in
                    json.as_object().unwrap().iter().filter(|(_, value)| value.is_object())
                {
                    let answers = answers.as_object().unwrap();
                    let location = |status| format!("{name}#/{method}/{status}");
                    operations.push(Operation {
                        method: method.to_uppercase(),
                        path: path.as_str().unwrap().to_owned(),
                        page: answers.get("page").is_some_and(|page| page.as_bool().unwrap()),
                        bodies: (statuses(answers).into_iter())
                            .map(|status| (status, (location(status), compile(&location(status)))))
                            .collect(),
                        errors: codes(&answers["errors"]),
                    });
                }
            }
        }
        Self { files, operations, compiled, error }
    }
}

impl Operation {
    fn is_at(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        self.path.split('/').all(|expected| {
            let is_parameter = expected.starts_with('{');
            segments
                .next()
                .is_some_and(|given| if is_parameter { !given.is_empty() } else { given == expected })
        }) && segments.next().is_none()
    }
}

/// A page, or the way to one.
fn is_page(status: u16, content_type: Option<&str>) -> bool {
    (300..400).contains(&status)
        || content_type.is_some_and(|content_type| content_type.starts_with("text/html"))
}

fn parse(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| format!("not JSON: {error}"))
}

fn statuses(answers: &Map<String, Value>) -> Vec<u16> {
    answers.keys().filter_map(|key| key.parse().ok()).collect()
}

fn codes(errors: &Value) -> BTreeMap<u16, Vec<String>> {
    let codes = |codes: &Value| serde_json::from_value(codes.clone()).unwrap();
    errors.as_object().unwrap().iter().map(|(status, list)| (status.parse().unwrap(), codes(list))).collect()
}
