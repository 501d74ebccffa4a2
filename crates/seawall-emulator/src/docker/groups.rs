//! The Hub's groups, which scopes call teams.

use std::sync::Arc;

use serde_json::{Value, json};

use super::fields::Fields;
use super::{Call, Refusal};
use crate::exchange::{Response, whole_number};
use crate::identity;
use crate::state::{Group, State};

/// The default page size: small, to detect callers that do not follow pages.
const PAGE: usize = 10;
/// The largest page.
const LARGEST: usize = 100;

impl Call<'_> {
    pub(super) fn list_groups(&self, state: &State) -> Result<Response, Refusal> {
        let username = self.request.parameter("username");
        let search = self.request.parameter("search").map(str::to_lowercase);
        let wanted = |group: &Group| {
            username.is_none_or(|user| group.members.contains(user))
                && search.as_ref().is_none_or(|text| group.name.to_lowercase().contains(text))
        };
        let teams = self.org_state(state).teams.iter();
        let groups: Vec<_> = teams.filter(|(_, group)| wanted(group)).collect();
        self.page(&groups, |(id, group)| shown(id, group))
    }

    /// The page of a list that the call requests.
    fn page<T>(&self, all: &[T], shown: impl Fn(&T) -> Value) -> Result<Response, Refusal> {
        let number = |name: &str, default: usize| match self.request.parameter(name) {
            None => Ok(default),
            Some(text) => match whole_number(text) {
                Some(number) if number > 0 => Ok(number),
                Some(_) | None => {
                    Err(Refusal::invalid(format!("{name} must be a whole number from 1")))
                }
            },
        };
        let size = number("page_size", PAGE)?.min(LARGEST);
        let page = number("page", 1)?;
        let start = (page - 1).saturating_mul(size);
        if start >= all.len() && page > 1 {
            return Err(Refusal::not_found("no such page"));
        }
        let next = start + size < all.len();
        let results: Vec<Value> = all.iter().skip(start).take(size).map(shown).collect();
        Ok(Response::json(
            200,
            &json!({
                "count": all.len(),
                "next": next.then(|| self.page_address(page + 1, size)),
                "previous": (page > 1).then(|| self.page_address(page - 1, size)),
                "results": results,
            }),
        ))
    }

    pub(super) fn list_members(&self, state: &State, name: &str) -> Result<Response, Refusal> {
        let search = self.request.parameter("search").map(str::to_lowercase);
        let group = self.org_state(state).teams.values().find(|group| group.name == name);
        let members = group.ok_or_else(|| Refusal::not_found("group not found"))?.members.iter();
        let wanted =
            |user: &&String| search.as_ref().is_none_or(|text| user.to_lowercase().contains(text));
        let members: Vec<&String> = members.filter(wanted).collect();
        self.page(&members, |user| json!({"username": user, "type": "User"}))
    }

    pub(super) fn add_member(&self, state: &mut State, name: &str) -> Result<Response, Refusal> {
        let mut fields = Fields::parse(&self.request.body)?;
        let member = fields.required_text("member")?;
        let teams = Arc::make_mut(&mut self.org_state_mut(state).teams);
        let group = teams.values_mut().find(|group| group.name == name);
        group.ok_or_else(|| Refusal::not_found("group not found"))?.members.insert(member);
        Ok(Response::empty(200))
    }

    pub(super) fn create_group(&self, state: &mut State) -> Result<Response, Refusal> {
        let mut fields = Fields::parse(&self.request.body)?;
        let name = fields.required_text("name")?;
        let description = match fields.take("description") {
            None => String::new(),
            Some(Value::String(text)) => text,
            Some(_) => return Err(Refusal::invalid("description must be a string")),
        };
        let org = self.org_state_mut(state);
        if org.teams.values().any(|group| group.name == name) {
            return Err(Refusal::conflict("group name already in use"));
        }
        let id = identity::team_id(self.org, &name);
        org.add_team(id.clone(), &name);
        if let Some(group) = Arc::make_mut(&mut org.teams).get_mut(&id) {
            group.description = description;
        }
        Ok(Response::json(201, &org.teams.get(&id).map(|group| shown(&id, group))))
    }

    pub(super) fn get_group(&self, state: &State, name: &str) -> Result<Response, Refusal> {
        let mut teams = self.org_state(state).teams.iter();
        match teams.find(|(_, group)| group.name == name) {
            Some((id, group)) => Ok(Response::json(200, &shown(id, group))),
            None => Err(Refusal::not_found("group not found")),
        }
    }

    /// Deletes a group; scopes that name it keep its id.
    pub(super) fn delete_group(&self, state: &mut State, name: &str) -> Result<Response, Refusal> {
        let teams = Arc::make_mut(&mut self.org_state_mut(state).teams);
        let before = teams.len();
        teams.retain(|_, group| group.name != name);
        if teams.len() == before {
            return Err(Refusal::not_found("group not found"));
        }
        Ok(Response::empty(204))
    }

    /// The address of another page with the same filters.
    fn page_address(&self, page: usize, size: usize) -> String {
        let path: Vec<String> = self.request.path.iter().map(|segment| encode(segment)).collect();
        let mut address =
            format!("{}/{}?page={page}&page_size={size}", self.request.origin, path.join("/"));
        for name in ["username", "search"] {
            if let Some(value) = self.request.parameter(name) {
                address.push_str(&format!("&{name}={}", encode(value)));
            }
        }
        address
    }
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn shown(id: &str, group: &Group) -> Value {
    let Group { number, name, description, members } = group;
    json!({"id": number, "uuid": id, "name": name, "description": description, "member_count": members.len()})
}
