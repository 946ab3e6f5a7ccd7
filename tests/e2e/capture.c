/* capture.c - see capture.h. A packet socket for one protocol sees what comes in, and only that; on
 * a loopback interface that is each packet once. */
#include "capture.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <regex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "check.h"

#define BUFFER     (8 << 20)
#define SEEN_MAX   20000
#define WORD_SIZE  24
#define TLS_HEAD   5
#define TLS_TYPES  "\x14\x15\x16\x17"
#define SHOWN_FROM 8 /* so many segments before the ones in question are shown */

static struct capture {
    int fd;
    struct segment seen[SEEN_MAX];
    size_t count;
    uint16_t server;
} capture = { .fd = -1 };

static const char *bring_up_loopback(void)
{
    struct ifreq lo = { .ifr_name = "lo" };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up = false;

    if (fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &lo) == 0) {
        lo.ifr_flags |= IFF_UP;
        up = ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
    }
    if (fd >= 0)
        close(fd);
    return up ? NULL : "the loopback interface of a network namespace cannot be set up";
}

/* One socket for all, so that the kernel's clock for packets, which it starts when it gets to it,
 * has long been running when it is needed. */
static const char *open_socket(void)
{
    int size = BUFFER, on = 1;

    capture.fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP));
    if (capture.fd < 0)
        return "no packet sockets here (CAP_NET_RAW)";
    setsockopt(capture.fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(capture.fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    return NULL;
}

const char *capture_enter(void)
{
    if (unshare(CLONE_NEWNET))
        return "no network namespace can be made here (CAP_SYS_ADMIN)";
    const char *why = bring_up_loopback();
    return why ? why : open_socket();
}

/* --- Taking what has come */

/* Behind the last octet, with SYN and FIN as one each (RFC 9293 3.4). */
static uint32_t end_of(const struct segment *s)
{
    return s->seq + s->len + (s->flags & TH_SYN ? 1 : 0) + (s->flags & TH_FIN ? 1 : 0);
}

/* Was something sent before that reached as far, on the same connection the same way? */
static bool is_again(const struct segment *s)
{
    if (end_of(s) == s->seq || s->flags & TH_RST)
        return false;
    for (size_t i = capture.count; i-- > 0;) {
        const struct segment *before = &capture.seen[i];

        if (before->client != s->client || before->from_server != s->from_server)
            continue;
        if (before->flags & TH_SYN && !(s->flags & TH_SYN))
            return false;
        if (end_of(before) != before->seq && (int32_t)(end_of(s) - end_of(before)) <= 0)
            return true;
        if (before->flags & TH_SYN)
            return false;
    }
    return false;
}

/* Has this client's connection begun since capturing did? What an older one still says, such as a
 * retransmission into what was a black hole, is nobody's business. */
static bool is_of_now(const struct segment *s)
{
    if (!s->from_server && s->flags & TH_SYN)
        return true;
    for (size_t i = 0; i < capture.count; i++)
        if (capture.seen[i].client == s->client)
            return true;
    return false;
}

static void look_into_data(struct segment *s, const uint8_t *data)
{
    if (s->len < TLS_HEAD || !memchr(TLS_TYPES, data[0], strlen(TLS_TYPES)) || data[1] != 3)
        return;
    s->record = data[0];
    s->record_len = (uint16_t)(data[3] << 8 | data[4]) + TLS_HEAD;
}

static void note(const uint8_t *packet, size_t n, int64_t at)
{
    struct iphdr ip;
    struct tcphdr tcp;
    size_t ip_len, head;

    if (n < sizeof ip)
        return;
    memcpy(&ip, packet, sizeof ip);
    ip_len = ip.ihl * 4u;
    if (ip.protocol != IPPROTO_TCP || n < ip_len + sizeof tcp)
        return;
    memcpy(&tcp, packet + ip_len, sizeof tcp);
    head = ip_len + tcp.th_off * 4u;
    struct segment s = { .at = at,
                         .from_server = ntohs(tcp.th_sport) == capture.server,
                         .flags = tcp.th_flags,
                         .window = ntohs(tcp.th_win),
                         .seq = ntohl(tcp.th_seq),
                         .ack = ntohl(tcp.th_ack),
                         .len = (uint32_t)(n - head) };
    s.client = ntohs(s.from_server ? tcp.th_dport : tcp.th_sport);
    if (!s.from_server && ntohs(tcp.th_dport) != capture.server)
        return;
    if (!is_of_now(&s))
        return;
    look_into_data(&s, packet + head);
    s.again = is_again(&s);
    check(capture.count < SEEN_MAX, "more segments than a test looks at");
    capture.seen[capture.count++] = s;
}

static int64_t stamp_of(struct msghdr *message)
{
    struct timespec t = { 0 };

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
            memcpy(&t, CMSG_DATA(c), sizeof t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* One packet. False: none is there. */
static bool take_one(bool wanted)
{
    static uint8_t packet[1 << 17];
    char control[256];
    struct iovec into = { packet, sizeof packet };
    struct msghdr message = {
        .msg_iov = &into, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    ssize_t n = recvmsg(capture.fd, &message, 0);

    if (n >= 0 && wanted)
        note(packet, (size_t)n, stamp_of(&message));
    return n >= 0;
}

/* How many were lost since this was asked last. */
static unsigned lost(void)
{
    struct tpacket_stats stats = { 0 };
    socklen_t size = sizeof stats;

    getsockopt(capture.fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size);
    return stats.tp_drops;
}

static void take(void)
{
    while (take_one(true))
        ;
    check(lost() == 0, "the capture lost packets");
}

void capture_start(uint16_t server)
{
    while (take_one(false))
        ;
    lost();
    capture.count = 0;
    capture.server = server;
}

/* --- Looking */

static void word_of(const struct segment *s, char out[WORD_SIZE])
{
    const char *what = "ack";

    if (s->flags & TH_RST)
        what = s->flags & TH_ACK ? "rst-ack" : "rst";
    else if (s->flags & TH_SYN)
        what = "syn";
    else if (s->flags & TH_FIN)
        what = s->len ? "data-fin" : "fin";
    else if (s->len)
        what = "data";
    snprintf(out, WORD_SIZE, "%s%s", what, s->again ? "-again" : "");
    for (char *p = out; s->from_server && *p; p++)
        *p = (char)toupper((unsigned char)*p);
}

static void flags_of(const struct segment *s, char out[8])
{
    static const struct {
        uint8_t flag;
        char letter;
    } letters[] = {
        { TH_SYN, 'S' }, { TH_FIN, 'F' }, { TH_RST, 'R' }, { TH_PUSH, 'P' }, { TH_ACK, '.' }
    };
    size_t n = 0;

    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (s->flags & letters[i].flag)
            out[n++] = letters[i].letter;
    out[n] = '\0';
}

/* The sequence number that this side, or the other one, began with. */
static uint32_t base_of(const struct segment *s, bool from_server)
{
    for (size_t i = 0; i < capture.count; i++) {
        const struct segment *first = &capture.seen[i];

        if (first->from_server == from_server && first->flags & TH_SYN &&
            first->client == s->client)
            return first->seq;
    }
    return 0;
}

static void print_segment(struct buf *out, const struct segment *s)
{
    uint32_t seq = s->seq - base_of(s, s->from_server);
    char flags[8], word[WORD_SIZE];

    flags_of(s, flags);
    word_of(s, word);
    buf_printf(out, "  %10.6f %s.%u > %s.%u: Flags [%s], seq %u",
               (double)(s->at - capture.seen[0].at) / NS_PER_S,
               s->from_server ? "server" : "client", s->from_server ? capture.server : s->client,
               s->from_server ? "client" : "server", s->from_server ? s->client : capture.server,
               flags, seq);
    if (s->len)
        buf_printf(out, ":%u", seq + s->len);
    if (s->flags & TH_ACK)
        buf_printf(out, ", ack %u", s->ack - base_of(s, !s->from_server));
    buf_printf(out, ", win %u, length %u", s->window, s->len);
    if (s->record)
        buf_printf(out, ", TLS record %u (%u)", s->record, s->record_len);
    buf_printf(out, "   %s\n", word);
}

/* A line at a time: cmocka cuts long messages. */
static void show_from(size_t from)
{
    for (size_t i = from > SHOWN_FROM ? from - SHOWN_FROM : 0; i < capture.count; i++) {
        struct buf line = { 0 };

        print_segment(&line, &capture.seen[i]);
        buf_add(&line, "", 1);
        print_error("%s%s", i == from ? "  --- from here:\n" : "", (char *)buf_bytes(&line));
        buf_free(&line);
    }
}

size_t capture_count(void)
{
    take();
    return capture.count;
}

const struct segment *capture_segment(size_t number)
{
    take();
    check(number < capture.count, "there is no segment %zu", number);
    return &capture.seen[number];
}

size_t capture_behind(uint64_t octets)
{
    uint64_t sent = 0;

    take();
    for (size_t i = 0; i < capture.count; i++) {
        const struct segment *s = &capture.seen[i];

        sent += s->from_server && !s->again ? s->len : 0;
        if (sent >= octets)
            return i + 1;
    }
    fail_msg("the server did not send %llu octets", (unsigned long long)octets);
    return 0;
}

/* The segments from this number on in words. */
static void print_words(struct buf *out, size_t from)
{
    for (size_t i = from; i < capture.count; i++) {
        char word[WORD_SIZE];
        word_of(&capture.seen[i], word);
        buf_printf(out, "%s ", word);
    }
    buf_add(out, "", 1);
}

static bool is_like(const char *text, const char *pattern)
{
    struct buf whole = { 0 };
    regex_t regex;

    buf_printf(&whole, "^(%s)$", pattern);
    buf_add(&whole, "", 1);
    check(regcomp(&regex, (const char *)buf_bytes(&whole), REG_EXTENDED | REG_NOSUB) == 0,
          "not a regular expression: %s", pattern);
    bool fits = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    buf_free(&whole);
    return fits;
}

void check_segments(size_t from, const char *pattern)
{
    struct buf words = { 0 };

    take();
    print_words(&words, from);
    bool fits = is_like((const char *)buf_bytes(&words), pattern);
    if (!fits)
        show_from(from);
    check(fits, "on the wire was \"%s\", not \"%s\"", (char *)buf_bytes(&words), pattern);
    buf_free(&words);
}
