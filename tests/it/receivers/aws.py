"""SNS, SQS and SES by moto, which checks signatures.

Prints one line of JSON once it answers, and another one with what has arrived for each line that it reads.
Ends with its standard input.
"""
import json
import os
import sys

# A real account's credentials have no business here.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
# The calls below are not checked, everything after them is.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "7"

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer
from moto.ses.models import ses_backends

REGION = "eu-central-1"

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://{host}:{port}"


def client(service, key="setup", secret="setup"):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 1}),
    )


iam = client("iam")
iam.create_user(UserName="watchbell")
key = iam.create_access_key(UserName="watchbell")["AccessKey"]
everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
iam.put_user_policy(UserName="watchbell", PolicyName="all", PolicyDocument=json.dumps(everything))
topic = client("sns").create_topic(Name="ops")["TopicArn"]
queue = client("sqs").create_queue(QueueName="ops")["QueueUrl"]
arn = f"arn:aws:sqs:{REGION}:123456789012:ops"
client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
client("ses").verify_email_identity(EmailAddress="watchbell@example.com")

print(json.dumps({"url": url, "id": key["AccessKeyId"], "secret": key["SecretAccessKey"], "topic": topic}), flush=True)

for line in sys.stdin:
    sqs = client("sqs", key["AccessKeyId"], key["SecretAccessKey"])
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    topics = [json.loads(message["Body"]) for message in found]
    mails = [vars(mail) for mail in ses_backends["123456789012"][REGION].sent_messages]
    print(json.dumps({"topics": topics, "mails": mails}, default=str), flush=True)

server.stop()
