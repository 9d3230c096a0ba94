<#
.SYNOPSIS
    One step of a rolling upgrade of Elasticsearch: checks whether a node may be replaced, replaces it, and waits until
    the cluster is safe again.
.DESCRIPTION
    For a script step of Octopus Deploy, or any PowerShell from 5.1 on. In Octopus, the parameters come from the project
    variables named below; elsewhere, pass them. See docs/upgrading-elasticsearch.md.

    Exits with 0 once the next node may follow. Otherwise stop the deployment: 1 not safe, 2 could not tell, 3 still
    changing after Wait, 4 the replacement failed.
.PARAMETER Node
    The node's name in the cluster. Octopus: Elasticsearch.Node
.PARAMETER Cluster
    The cluster's address, or its name in the environment. Octopus: Elasticsearch.Cluster
.PARAMETER Replace
    Receives the node's name, replaces the node, and returns once the new node has joined the cluster. Throws on failure.
.PARAMETER How
    replace: the node's data is discarded, and the cluster copies it again. restart: the node keeps its data; allocation
    is disabled meanwhile. drain: the node is emptied first; the other nodes need enough space.
.PARAMETER Environment
    The environment with the cluster's name and credentials; not needed with an address.
    Octopus: Watchbell.Environment
.PARAMETER Wait
    How long to wait for the cluster, both before and after the node is replaced.
.PARAMETER Stable
    How long the unassigned shards must stay the same before they are judged.
.PARAMETER Watchbell
    The program. Octopus: Watchbell.Program
.EXAMPLE
    ./upgrade-step.ps1 -Cluster https://es.example.com:9200 -Node es-1 -Replace { param($Node) Restart-Service elasticsearch }
#>
[CmdletBinding()]
param(
    [string] $Node,
    [string] $Cluster,
    [Parameter(Mandatory)] [scriptblock] $Replace,
    [ValidateSet('replace', 'restart', 'drain')] [string] $How = 'replace',
    [string] $Environment,
    [string] $Wait = '30m',
    [string] $Stable = '60s',
    [string] $Watchbell
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

# A parameter takes precedence over a variable of the deployment.
function Get-Setting([string] $Passed, [string] $Variable, [string] $Otherwise) {
    if ($Passed) { return $Passed }
    $octopus = Get-Variable -Name OctopusParameters -ValueOnly -ErrorAction SilentlyContinue
    if ($octopus -and $octopus.ContainsKey($Variable) -and $octopus[$Variable]) { return $octopus[$Variable] }
    return $Otherwise
}

$Node = Get-Setting $Node 'Elasticsearch.Node' ''
$Cluster = Get-Setting $Cluster 'Elasticsearch.Cluster' ''
$Environment = Get-Setting $Environment 'Watchbell.Environment' ''
$Watchbell = Get-Setting $Watchbell 'Watchbell.Program' 'watchbell'
if (-not $Node -or -not $Cluster) {
    throw 'name the node and the cluster: pass -Node and -Cluster, or set the variables Elasticsearch.Node and Elasticsearch.Cluster'
}

# Streams the gate's output, and returns its exit code.
function Invoke-Gate([string[]] $Options) {
    $words = @('upgrade-gate', '--cluster', $Cluster, '--wait', $Wait, '--stable', $Stable) + $Options
    if ($Environment) { $words += @('--environment', $Environment) }
    # Windows PowerShell turns a program's standard error into errors; here they are not failures.
    $ErrorActionPreference = 'Continue'
    & $Watchbell @words 2>&1 | ForEach-Object { Write-Host "$_" }
    return $LASTEXITCODE
}

# Undoes the step's changes to the cluster's settings, whether the step succeeded or not.
function Undo-Settings {
    if ($How -eq 'replace') { return 0 }
    return Invoke-Gate @('--put-back')
}

Write-Host "may $Node be replaced?"
$code = switch ($How) {
    'replace' { Invoke-Gate @('--node', $Node) }
    'restart' { Invoke-Gate @('--node', $Node, '--disable-allocation', '--until', 'ready') }
    'drain' { Invoke-Gate @('--drain', $Node, '--until', 'ready') }
}
if ($code -ne 0) {
    Write-Host "$Node was not touched"
    exit $code
}

Write-Host "replacing $Node"
try {
    & $Replace $Node | Out-Host
}
catch {
    $null = Undo-Settings
    Write-Host "the replacement failed, check $Node before you continue: $_"
    exit 4
}

Write-Host "is the cluster safe with the new ${Node}?"
$code = Undo-Settings
if ($code -eq 0) { $code = Invoke-Gate @() }
if ($code -ne 0) {
    Write-Host "$Node was replaced, but the cluster is not safe: do not continue with another node"
}
exit $code
