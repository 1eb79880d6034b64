#!/bin/sh
# A worker that ends within its answer.
printf '\000\000\000\034{"ready":{"protections":[]}}'
printf '\000\000\001\000{"answer":'
