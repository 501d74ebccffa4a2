//! What to change: diff, order, guards, requests and the saved form.
