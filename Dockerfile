# syntax=docker/dockerfile:1

FROM swift:6.3-bookworm AS build
WORKDIR /src
# NATS for a node of a cluster: --build-arg TRAITS=NATS.
ARG TRAITS=

RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libsqlite3-dev libssl-dev zlib1g-dev ${TRAITS:+libnats-dev} \
    && rm -rf /var/lib/apt/lists/*

# The dependencies in a layer of their own: they change less often than the sources.
COPY Package.swift ./
RUN swift package resolve

COPY Plugins Plugins
COPY Sources Sources
# Not built, but named by Package.swift.
COPY Benchmarks Benchmarks
COPY Examples Examples
COPY Tests Tests
RUN swift build -c release --product apus ${TRAITS:+--traits "$TRAITS"} --static-swift-stdlib -Xlinker -s \
    && ln -s "$(swift build -c release --show-bin-path)/apus" /apus

COPY Deploy Deploy
RUN APUS_BIN=/apus DESTDIR=/out PREFIX=/usr/local UNITS=/units Deploy/install && rm -r /out/units


FROM debian:bookworm-slim
ARG TRAITS=

# TLS, the catalog of topics, and root certificates for the client commands on https and wss.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates libsqlite3-0 libssl3 ${TRAITS:+libnats3.4} \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 10001 -g 10001 -m 0750 /var/lib/apus

# The program, and the completion scripts of shells.
COPY --from=build /out /

# A number, so that Kubernetes can tell that this is not root.
USER 10001:10001

# Topics and their messages outlive the container where the volume does.
VOLUME /var/lib/apus
ENV APUS_HOST=0.0.0.0 APUS_DATA=/var/lib/apus
EXPOSE 8080
STOPSIGNAL SIGTERM

# Asks the server that the environment and APUS_CONFIG set up. With the port from a flag, set APUS_URL=http://127.0.0.1:PORT too.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["/usr/local/bin/apus", "healthcheck", "--quiet"]

ENTRYPOINT ["apus"]
CMD ["serve"]
