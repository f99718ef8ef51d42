"""Calls from browsers: WebRTC in place of a PBX, through aiortc.

ICE and DTLS-SRTP are aiortc's; offers are read and answered, audio is coded and paced, and keys
are heard here: aiortc's own receiver would hold each packet back for 80 ms and knows no telephone
events.
"""
