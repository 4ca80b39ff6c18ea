"""The application as AWS's runtime client calls one."""

from apig_wsgi import make_lambda_handler
from app import app

handler = make_lambda_handler(app)
