set -e
home=/usr/share/tomcat10
mkdir -p conf temp webapps/ROOT/WEB-INF/classes
cp tomcat.xml conf/server.xml
cp tomcat-web.xml webapps/ROOT/WEB-INF/web.xml
javac -cp $home/lib/servlet-api.jar -d webapps/ROOT/WEB-INF/classes Behind.java
exec java -Xmx96m -cp $home/bin/bootstrap.jar:$home/bin/tomcat-juli.jar -Dcatalina.home=$home -Dcatalina.base="$PWD" \
    org.apache.catalina.startup.Bootstrap start
