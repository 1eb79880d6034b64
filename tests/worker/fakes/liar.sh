#!/bin/sh
# A worker whose answer is well-formed and answers another question.
printf '\000\000\000\034{"ready":{"protections":[]}}'
printf '\000\000\000\032{"answer":{"resolved":[]}}'
read -r _
