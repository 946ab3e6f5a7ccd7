#include "base/hex.h"

size_t hex_write(const void *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *b = bytes;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[b[i] >> 4];
        out[2 * i + 1] = digits[b[i] & 15];
    }
    out[2 * n] = '\0';
    return 2 * n;
}

bool hex_read(const char *text, size_t n, uint8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        int octet = hex_octet(text + 2 * i);
        if (octet < 0)
            return false;
        out[i] = (uint8_t)octet;
    }
    return true;
}

int hex_percent_next(const char **at, const char *end, bool *encoded)
{
    bool percent = **at == '%';
    int octet = !percent ? (unsigned char)**at : end - *at < 3 ? -1 : hex_octet(*at + 1);
    if (encoded)
        *encoded = percent;
    if (octet >= 0)
        *at += percent ? 3 : 1;
    return octet;
}
