/* minted_server.h - TLS credentials for a test, made on the spot. */
#pragma once

#include "wire/tls_server.h"

/* A server with a fresh key and certificate; the caller's. */
struct tls_server *minted_server(void);
