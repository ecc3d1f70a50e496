"""Pipelines of other shapes than this project's."""

FAN = {
    "params.yaml": "n: 1\nrate: 0.00001\nitems: {a: 1, b: 2, c: 3}\n",
    "dvc.yaml": """
stages:
  last:
    cmd: cat parts/a.txt parts/b.txt parts/c.txt > last.txt
    deps: [parts/a.txt, parts/b.txt, parts/c.txt]
    metrics: [last.txt: {cache: false}]
  part:
    matrix: {k: '${items}'}
    cmd: mkdir -p parts; cat zero.txt > parts/${item.k}.txt; echo ${item.k} >> parts/${item.k}.txt
    deps: [zero.txt]
    params: ['items.${item.k}']
    outs: ['parts/${item.k}.txt']
  zero:
    cmd: >-
      echo a rather long command that the lock file has to fold
      over several lines of its text > zero.txt
    params: [n, rate]
    outs: [zero.txt]
""",
}
"""A matrix, written backwards; a metric in git; a long command and a number of odd form."""

SHAPES = {
    "params.yaml": "names: [x, y]\ntop: {depth: 2, width: 3}\n",
    "settings.json": '{"rate": 0.1, "unused": 1}',
    "raw/input.txt": "input\n",
    "dvc.yaml": """
stages:
  limits:
    cmd: 'echo "{\\"low\\": 1, \\"high\\": 9}" > limits.json'
    deps: [raw]
    outs: [limits.json: {cache: false}]
  bounded:
    cmd: cp limits.json bounded.txt
    params: [limits.json: [low], settings.json: [rate], top]
    outs: [bounded.txt]
  loop:
    foreach: ${names}
    do:
      cmd:
        - echo ${item} > ${item}.txt
        - |
          echo more >> ${item}.txt
          echo again >> ${item}.txt
      deps: [raw/input.txt]
      outs: ['${item}.txt': {persist: true}]
  folder:
    wdir: inside
    cmd: mkdir out && cp ../x.txt out/one && cp ../y.txt out/two && echo step,v > curve.csv
    deps: [../x.txt, ../y.txt]
    outs: [out]
    plots: [curve.csv: {x: step}]
  always:
    cmd: echo always > always.txt
    always_changed: true
    outs: [always.txt]
  callback:
    cmd: echo done
  ice:
    cmd: cp bounded.txt ice.txt
    frozen: true
    deps: [bounded.txt]
    outs: [ice.txt]
  after_ice:
    cmd: cp ice.txt after.txt
    deps: [ice.txt]
    outs: [after.txt]
""",
    "ice.txt": "ice\n",
    ".gitignore": "/ice.txt\n",
    "inside/.keep": "",
}
"""foreach, wdir, lists of commands, params of other files and of another stage, and every flag."""

SEVERAL = {
    "params.yaml": "n: 1\n",
    "sub/params.yaml": "sizes: [1, 2]\nkinds: [p, q]\n",
    "dvc.yaml": """
stages:
  first:
    cmd: echo first > first.txt
    params: [n]
    outs: [first.txt]
  gather:
    cmd: cat sub/1-p.txt sub/2-q.txt > gather.txt
    deps: [sub/1-p.txt, sub/2-q.txt]
    outs: [gather.txt]
""",
    "sub/dvc.yaml": """
stages:
  grid:
    matrix: {size: '${sizes}', kind: '${kinds}'}
    cmd: (cat ../first.txt; echo ${key}) > ${item.size}-${item.kind}.txt
    deps: [../first.txt]
    outs: ['${item.size}-${item.kind}.txt']
""",
}
"""Two dvc.yaml, each needing the other; the target is in the root."""

ALL = {"fan": FAN, "shapes": SHAPES, "several": SEVERAL}
