/* The least a runtime can do: the same bytes over one socket, in C, without looking at them. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char poll_[] = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:65535\r\n"
                            "User-Agent: floor\r\n\r\n";
static const char post[] = "POST /2018-06-01/runtime/invocation/8476a536-e9f4-11e8-9739-2dfe598c3fcd/response HTTP/1.1"
                           "\r\nHost: 127.0.0.1:65535\r\nUser-Agent: floor\r\nContent-Type: application/json\r\n"
                           "Content-Length: %zu\r\n\r\n";
static char in[8 << 20], out[8 << 20];

int main(void) {
    const char *port = strchr(getenv("AWS_LAMBDA_RUNTIME_API"), ':') + 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) return 1;
    for (;;) {
        size_t have = 0, size = 0;
        char *body = NULL;
        if (send(fd, poll_, sizeof poll_ - 1, 0) < 0) return 1;
        while (!body || have < (size_t)(body - in) + size) {
            ssize_t got = recv(fd, in + have, sizeof in - 1 - have, 0);
            if (got <= 0) return 0;
            in[have += (size_t)got] = 0;
            if (!body && (body = strstr(in, "\r\n\r\n"))) {
                body += 4;
                size = strtoul(strstr(in, "Content-Length: ") + 16, NULL, 10);
            }
        }
        int head = sprintf(out, post, size);
        memcpy(out + head, body, size);
        for (size_t sent = 0; sent < (size_t)head + size;) {
            ssize_t put = send(fd, out + sent, (size_t)head + size - sent, 0);
            if (put < 0) return 1;
            sent += (size_t)put;
        }
        if (recv(fd, in, sizeof in, 0) <= 0) return 0;
    }
}
