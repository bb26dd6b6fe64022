"""AWS: EC2 through boto3. The tags are the truth; nothing is remembered elsewhere."""
