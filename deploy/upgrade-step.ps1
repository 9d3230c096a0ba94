<#
.SYNOPSIS
    One step of a rolling upgrade of Elasticsearch: asks whether a node may be replaced, replaces it, and waits until
    the cluster is safe again.
.DESCRIPTION
    For a script step of Octopus Deploy, or any PowerShell from 5.1 on. In Octopus, the parameters come from variables
    of the project with the names that stand below; elsewhere, pass them. docs/upgrading-elasticsearch.md tells the
    whole story.

    It ends with 0 once the next node may follow. Otherwise the deployment has to stop: 1 not safe, 2 could not tell,
    3 still changing when the time was over, 4 the replacement failed.
.PARAMETER Node
    The node's name in the cluster. Octopus: Elasticsearch.Node
.PARAMETER Cluster
    The cluster's address; or its name, as clusters of an environment are called. Octopus: Elasticsearch.Cluster
.PARAMETER Replace
    Replaces the node whose name it is given, and returns once the new node has joined the cluster. It fails by throwing.
.PARAMETER How
    replace: the node goes with its data, the cluster copies them anew. restart: it comes back with its data, and
    allocation is held back meanwhile. drain: it is emptied first, for which the other nodes need the room.
.PARAMETER Environment
    The environment that knows the cluster's name and credentials; not needed with an address.
    Octopus: Watchbell.Environment
.PARAMETER Wait
    How long to wait for the cluster, before the node is replaced and afterwards.
.PARAMETER Stable
    How long nothing must change before shards without a node are judged.
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

# A parameter that was passed goes before a variable of the deployment.
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
    throw 'say which node of which cluster: -Node and -Cluster, or the variables Elasticsearch.Node and Elasticsearch.Cluster'
}

# Shows what the gate says as it says it, and returns its exit code.
function Invoke-Gate([string[]] $Options) {
    $words = @('upgrade-gate', '--cluster', $Cluster, '--wait', $Wait, '--stable', $Stable) + $Options
    if ($Environment) { $words += @('--environment', $Environment) }
    # Windows PowerShell turns what a program writes to its standard error into errors: those are no failures here.
    $ErrorActionPreference = 'Continue'
    & $Watchbell @words 2>&1 | ForEach-Object { Write-Host "$_" }
    return $LASTEXITCODE
}

# What the step wrote into the cluster's settings goes, whatever becomes of the step.
function Undo-Settings {
    if ($How -eq 'replace') { return 0 }
    return Invoke-Gate @('--put-back')
}

Write-Host "may $Node go?"
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
    Write-Host "the replacement failed, look after $Node before you go on: $_"
    exit 4
}

Write-Host "is the cluster safe with the new ${Node}?"
$code = Undo-Settings
if ($code -eq 0) { $code = Invoke-Gate @() }
if ($code -ne 0) {
    Write-Host "$Node was replaced, and the cluster is not safe: do not go on with another node"
}
exit $code
