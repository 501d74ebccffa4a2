//! Files to documents: discovery, YAML with the span of every key and value, pointers.
