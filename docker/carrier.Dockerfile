# The test bed's carrier: a second Asterisk whose numbers are personas. For trying things out only.
#   docker build -f docker/carrier.Dockerfile -t offhook-carrier .
ARG DEBIAN_IMAGE=debian:forky-slim
FROM ${DEBIAN_IMAGE}

RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        asterisk asterisk-core-sounds-en-wav python3 \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -m 1777 /run/asterisk /var/log/asterisk

COPY docker/render docker/asterisk/start /usr/local/bin/
COPY docker/asterisk/asterisk.conf /usr/share/offhook/
COPY pbx/testbed/carrier /usr/share/offhook/asterisk
COPY pbx/testbed/sounds /usr/share/offhook/sounds
COPY pbx/testbed/personas.py pbx/testbed/sounds/sentences.json /tmp/
RUN cd /tmp && mkdir sounds && mv sentences.json sounds/ \
    && python3 -c 'import personas; print(personas.dialplan("/usr/share/offhook/sounds"), end="")' \
        > /usr/share/offhook/asterisk/extensions.conf \
    && rm -r /tmp/personas.py /tmp/sounds \
    # A phone whose owner waits sends silence, not nothing.
    && echo "transmit_silence = yes" >> /usr/share/offhook/asterisk.conf

ENV OFFHOOK_ASTERISK_SIP_BIND=127.0.0.1:5070 \
    OFFHOOK_ASTERISK_TRUNK_HOST=127.0.0.1 \
    OFFHOOK_ASTERISK_TRUNK_PORT=5060 \
    OFFHOOK_ASTERISK_CODECS=alaw,ulaw \
    OFFHOOK_ASTERISK_RTP_START=14000 \
    OFFHOOK_ASTERISK_RTP_END=14999

USER asterisk
ENTRYPOINT ["start"]
