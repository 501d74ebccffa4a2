//! The file that a policy was extracted from.

use std::sync::Arc;

use serde_json::{Value, json};

use super::fields::Invalid;
use super::{Call, Refusal, set};
use crate::exchange::{Request, Response};
use crate::state::VijilState;

/// The largest size of a file: 10 MB. The socket accepts less.
const LARGEST: usize = 10 * 1024 * 1024;

impl Call<'_> {
    pub(super) fn upload_file(
        &self,
        vijil: &mut VijilState,
        id: &str,
    ) -> Result<Response, Refusal> {
        let id = self.policy_id(id)?;
        let Some((name, content)) = part(self.request) else {
            let mut invalid = Invalid::default();
            invalid.add("missing", json!(["body", "file"]), "Field required", Value::Null, None);
            return Err(Refusal::Invalid(invalid));
        };
        vijil.policy(&id)?;
        let kind = name.rsplit('.').next().unwrap_or_default().to_lowercase();
        if !matches!(kind.as_str(), "pdf" | "txt" | "md") {
            return Err(Refusal::new(415, "Only PDF, TXT and MD files can be uploaded"));
        }
        if content.len() > LARGEST {
            return Err(Refusal::new(413, "The file is larger than 10 MB"));
        }
        let text = String::from_utf8(content.clone()).ok().filter(|_| kind != "pdf");
        let (now, size) = (self.now(), content.len());
        vijil.files.insert(id.clone(), Arc::new(content));
        let policy = vijil.edit_policy(&id, |policy| {
            set(policy, "file_path", format!("policies/{id}/{name}"));
            set(policy, "file_name", name);
            set(policy, "file_type", kind);
            set(policy, "file_size_bytes", size);
            if let Some(text) = text {
                set(policy, "source_text", text);
            }
            set(policy, "updated_at", now);
        });
        Ok(Response::json(200, &self.shown_policy(vijil, &policy)))
    }

    pub(super) fn download_file(&self, vijil: &VijilState, id: &str) -> Result<Response, Refusal> {
        let id = self.policy_id(id)?;
        let name = vijil.policy(&id)?.text("file_name");
        let content =
            vijil.files.get(&id).ok_or_else(|| Refusal::new(404, "The policy has no file"))?;
        let answer = Response {
            status: 200,
            headers: Vec::new(),
            content_type: "application/octet-stream",
            body: content.to_vec(),
        };
        let plain: String =
            name.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).collect();
        Ok(answer.with_header("Content-Disposition", format!("attachment; filename=\"{plain}\"")))
    }

    pub(super) fn delete_file(
        &self,
        vijil: &mut VijilState,
        id: &str,
    ) -> Result<Response, Refusal> {
        let id = self.policy_id(id)?;
        vijil.policy(&id)?;
        vijil.files.remove(&id);
        let now = self.now();
        let policy = vijil.edit_policy(&id, |policy| {
            for key in
                ["file_path", "file_name", "file_type", "file_size_bytes", "converted_file_path"]
            {
                set(policy, key, Value::Null);
            }
            set(policy, "updated_at", now);
        });
        Ok(Response::json(200, &self.shown_policy(vijil, &policy)))
    }

    pub(super) fn download_converted(
        &self,
        vijil: &VijilState,
        id: &str,
    ) -> Result<Response, Refusal> {
        vijil.policy(&self.policy_id(id)?)?;
        Err(Refusal::new(400, "The policy has no converted file"))
    }
}

/// Name and content of the part `file` of a multipart body, whose boundary is its own first line.
fn part(request: &Request) -> Option<(String, Vec<u8>)> {
    let find =
        |body: &[u8], text: &[u8]| body.windows(text.len()).position(|window| window == text);
    let end = find(&request.body, b"\r\n")?;
    let boundary = request.body.get(..end)?;
    let mut rest = request.body.as_slice();
    loop {
        let start = find(rest, boundary)? + boundary.len() + 2;
        rest = rest.get(start..)?;
        let head_end = find(rest, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(rest.get(..head_end)?).into_owned();
        rest = rest.get(head_end + 4..)?;
        let end = find(rest, &[b"\r\n", boundary].concat())?;
        if head.contains("name=\"file\"") {
            let name = head.split("filename=\"").nth(1)?.split('"').next()?;
            return Some((name.to_owned(), rest.get(..end)?.to_vec()));
        }
        rest = rest.get(end..)?;
    }
}
