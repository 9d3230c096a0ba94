"""A real mail server (aiosmtpd) on loopback: STARTTLS and a password are required.

usage: aiosmtpd_server.py CERTIFICATE KEY USER PASSWORD MODE

MODE: accept | greylist (451 for each recipient's first time) | drop (closes the connection within the message).
The first line of its output is its port; then comes each mail, a line of JSON.
"""
import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

certificate, key, user, password, mode = sys.argv[1:]


class Handler:
    def __init__(self):
        self.seen = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if mode == "greylist" and address not in self.seen:
            self.seen.add(address)
            return "451 4.7.1 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        headers = {name.lower(): str(value) for name, value in mail.items()}
        parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
        arrived = {
            "from": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "headers": headers,
            "parts": parts,
            "tls": session.ssl is not None,
            "defects": [str(defect) for part in mail.walk() for defect in part.defects],
        }
        print(json.dumps(arrived), flush=True)
        return "250 OK"


class Dropping(SMTP):
    async def smtp_DATA(self, arg):
        await self.push("354 go on")
        await self._reader.readline()
        self.transport.abort()


def authenticate(server, session, envelope, mechanism, auth_data):
    good = (auth_data.login, auth_data.password) == (user.encode(), password.encode())
    return AuthResult(success=good, handled=False)


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    handler = Handler()
    make = Dropping if mode == "drop" else SMTP

    def factory():
        return make(
            handler,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=authenticate,
        )

    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
