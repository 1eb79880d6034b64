#!/bin/sh
# A worker that prints what is no frame.
printf 'HTTP/1.1 200 OK\r\n\r\nhello'
read -r _
