//! Docker AI Governance: wire types, credentials, reader, writer and snapshot.
