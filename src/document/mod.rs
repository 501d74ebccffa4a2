//! What users write: the kinds of documents, their schema, and their meaning.
