# The test bed's carrier: a second Asterisk whose numbers are personas. For trying things out only.
#   docker build -f docker/carrier.Dockerfile -t offhook-carrier .
FROM debian:forky-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        asterisk asterisk-core-sounds-en-wav python3 \
    && rm -rf /var/lib/apt/lists/*

COPY docker/render /usr/local/bin/
COPY pbx/testbed/carrier /usr/share/offhook/carrier
COPY pbx/testbed/sounds /usr/share/offhook/sounds
COPY pbx/testbed/personas.py pbx/testbed/sounds/sentences.json /tmp/
RUN cd /tmp && mkdir sounds && mv sentences.json sounds/ \
    && python3 -c 'import personas; print(personas.dialplan("/usr/share/offhook/sounds"), end="")' \
        > /etc/asterisk/extensions.conf \
    && rm -r /tmp/personas.py /tmp/sounds

ENV OFFHOOK_ASTERISK_SIP_BIND=127.0.0.1:5070 \
    OFFHOOK_ASTERISK_TRUNK_HOST=127.0.0.1 \
    OFFHOOK_ASTERISK_TRUNK_PORT=5060 \
    OFFHOOK_ASTERISK_CODECS=alaw,ulaw \
    OFFHOOK_ASTERISK_RTP_START=14000 \
    OFFHOOK_ASTERISK_RTP_END=14999

ENTRYPOINT ["sh", "-ec", "render OFFHOOK_ASTERISK /usr/share/offhook/carrier /etc/asterisk; exec asterisk -f -n"]
