//! HTTPS to other servers: whom the host may connect to, and how it does.
